/* The mysql plug-in's descriptor. */
#include "mysql-driver.h"

static const struct osiris_driver *const drivers[] = {&mysql_extractor, NULL};

OSIRIS_PLUGIN(mysql) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "mysql",
    .version = "1.0.0",
    .drivers = drivers,
};
