/*
 * The spec of csv.writer: its options with their defaults and bounds, as JSON (include/osiris/driver.h).
 */
#ifndef OSIRIS_CSV_SPEC_H
#define OSIRIS_CSV_SPEC_H

extern const char csv_writer_spec[];

#endif
