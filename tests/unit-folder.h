/* A temporary folder that a test works in, and files in it. */
#ifndef OSIRIS_TESTS_UNIT_FOLDER_H
#define OSIRIS_TESTS_UNIT_FOLDER_H

extern char folder[]; /* its path, after `enter` */

/* Makes the folder and goes there; removes it with its content. */
void enter(void);
void leave(void);

void write_file(const char *path, const char *text);

#endif
