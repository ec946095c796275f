/*
 * The shared object of a plug-in exports one constant, osiris_plugin, and nothing else.
 *
 *     static const struct osiris_driver *const drivers[] = { &my_extractor, NULL };
 *     OSIRIS_PLUGIN(acme) = {
 *         .abi_version = OSIRIS_ABI_VERSION, .struct_size = sizeof(struct osiris_plugin),
 *         .name = "acme", .version = "1.0.0", .drivers = drivers,
 *     };
 *
 * Drivers are installed in `pkg-config --variable=driverdir osiris`, adapters in its adapterdir.
 * Osiris loads an object with immediate binding and local symbols, on one thread, and never
 * unloads it. Loading must be quick, have no side effects, and print nothing.
 */
#ifndef OSIRIS_PLUGIN_H
#define OSIRIS_PLUGIN_H

#include <osiris/adapter.h>
#include <osiris/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

struct osiris_plugin {
    uint32_t abi_version; /* the OSIRIS_ABI_VERSION that the object was built with */
    uint32_t struct_size; /* sizeof(struct osiris_plugin) */
    const char *name;     /* of the plug-in, e.g. "mysql" */
    const char *version;
    const struct osiris_driver *const *drivers;   /* NULL-terminated, or NULL */
    const struct osiris_adapter *const *adapters; /* NULL-terminated, or NULL */
};

/* Sizes of the structs in version 1.0. A host may rely on them in any 1.x object. */
#define OSIRIS_PLUGIN_SIZE_1_0 (offsetof(struct osiris_plugin, adapters) + sizeof(void *))
#define OSIRIS_DRIVER_SIZE_1_0 (offsetof(struct osiris_driver, close) + sizeof(void *))
#define OSIRIS_ADAPTER_SIZE_1_0 (offsetof(struct osiris_adapter, close) + sizeof(void *))

#define OSIRIS_PLUGIN_SYMBOL "osiris_plugin"
#define OSIRIS_EXPORT __attribute__((visibility("default")))

/* Defines the exported constant. `module` is the file name without ".so". libtool needs it when the
 * object is preloaded statically (-dlpreopen); OSIRIS_PRELOADED must be defined for that. */
#ifdef OSIRIS_PRELOADED
#define OSIRIS_PLUGIN(module)                                                                      \
    extern OSIRIS_EXPORT const struct osiris_plugin module##_LTX_osiris_plugin;                    \
    const struct osiris_plugin module##_LTX_osiris_plugin
#else
#define OSIRIS_PLUGIN(module)                                                                      \
    extern OSIRIS_EXPORT const struct osiris_plugin osiris_plugin;                                 \
    const struct osiris_plugin osiris_plugin
#endif

#ifdef __cplusplus
}
#endif

#endif
