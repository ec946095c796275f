/* osiris components: the available drivers, their options, and the files that were refused. */
#include <string.h>

#include "cli/build.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "orchestrator/base/terminal.h"
#include "core/plugin/kind.h"

static json_object *component_json(const struct component *component)
{
    json_object *object = json_object_new_object();
    json_object *aliases = json_object_new_array();

    json_add_string(object, "name", component->name);
    json_add_string(object, "kind", kind_name(component->kind));
    json_add_string(object, "version", component->version);
    json_add_string(object, "file", component->file);
    for (const char *const *alias = component->aliases; *alias != NULL; alias++)
        json_append(aliases, json_string(*alias));
    json_add(object, "aliases", aliases);
    return object;
}

/* list */

struct widths {
    int name, version, aliases;
};

static void widen(int *width, size_t length)
{
    if ((int)length > *width)
        *width = (int)length;
}

static size_t aliases_length(const struct component *component)
{
    size_t length = 0;

    for (const char *const *alias = component->aliases; *alias != NULL; alias++)
        length += strlen(*alias) + (length > 0 ? 2 : 0);
    return length;
}

static void print_component(const struct component *component, const struct widths *widths)
{
    int left = widths->aliases;

    terminal_print(stdout, "%-*s  %-9s  %-*s  ", widths->name, component->name, kind_name(component->kind),
           widths->version, component->version);
    for (const char *const *alias = component->aliases; *alias != NULL; alias++)
        left -= terminal_print(stdout, "%s%s", alias == component->aliases ? "" : ", ", *alias);
    terminal_print(stdout, "%*s  %s\n", left > 0 ? left : 0, "", component->file);
}

static void print_refused(json_object *refused)
{
    for (size_t i = 0; i < json_array_count(refused); i++) {
        json_object *item = json_object_array_get_idx(refused, i);
        terminal_print(stderr, "osiris: refused %s: %s\n", json_member_string(item, "file", "?"),
                json_member_string(item, "error", "?"));
    }
}

static void print_list(const struct registry *registry)
{
    struct widths widths = {4, 7, 7};

    for (size_t i = 0; i < registry_count(registry); i++) {
        const struct component *component = registry_get(registry, i);
        widen(&widths.name, strlen(component->name));
        widen(&widths.version, strlen(component->version));
        widen(&widths.aliases, aliases_length(component));
    }
    terminal_print(stdout, "%-*s  %-9s  %-*s  %-*s  %s\n", widths.name, "NAME", "KIND", widths.version, "VERSION",
           widths.aliases, "ALIASES", "FILE");
    for (size_t i = 0; i < registry_count(registry); i++)
        print_component(registry_get(registry, i), &widths);
    print_refused(registry_refused(registry));
}

static int execute_list(const struct arguments *arguments)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_registry_ struct registry *registry = build_registry(arguments, &error);

    if (registry == NULL)
        return report_failure(arguments->json, "components", &error, NULL, EXIT_CODE_FAILED);
    /* The exit code says that the list is not complete. */
    json_object *refused = registry_refused(registry);
    int code = json_array_count(refused) > 0 ? EXIT_CODE_FAILED : EXIT_CODE_SUCCESS;
    if (!arguments->json) {
        print_list(registry);
        return code;
    }
    json_object *object = json_object_new_object();
    json_object *components = json_object_new_array();
    for (size_t i = 0; i < registry_count(registry); i++)
        json_append(components, component_json(registry_get(registry, i)));
    json_add(object, "components", components);
    json_add(object, "refused",
             refused == NULL ? json_object_new_array() : json_object_get(refused));
    report_json(object);
    return code;
}

/* show */

static bool is_required(json_object *schema, const char *name)
{
    json_object *required = json_member(schema, "required");

    for (size_t i = 0; i < json_array_count(required); i++) {
        const char *item = json_object_get_string(json_object_array_get_idx(required, i));
        if (item != NULL && strcmp(item, name) == 0)
            return true;
    }
    return false;
}

static const char *plain_text(json_object *value)
{
    return json_object_is_type(value, json_type_string)
               ? json_object_get_string(value)
               : json_text(value, JSON_C_TO_STRING_PLAIN |
                                                           JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
}

/* "string|integer", "lf|crlf" */
static void print_choices(json_object *choices)
{
    for (size_t i = 0; i < json_array_count(choices); i++)
        terminal_print(stdout, "%s%s", i > 0 ? "|" : "", plain_text(json_object_array_get_idx(choices, i)));
}

static void print_bound(json_object *property, const char *key, const char *shown)
{
    json_object *value = json_member(property, key);

    if (value != NULL)
        terminal_print(stdout, ", %s %s", shown, plain_text(value));
}

/* What a step may do to a field of its connection; nothing for other options. */
static void print_override(json_object *spec, const char *name)
{
    json_object *fields = json_member(spec, "x-connection-fields");

    for (size_t i = 0; i < json_array_count(fields); i++) {
        json_object *field = json_object_array_get_idx(fields, i);
        const char *rule = json_member_string(field, "override", "allowed");
        if (strcmp(json_member_string(field, "name", ""), name) == 0)
            terminal_print(stdout, ", from the connection: a step %s",
                   strcmp(rule, "forbidden") == 0 ? "must not override it"
                   : strcmp(rule, "warning") == 0 ? "that overrides it gets a warning"
                                                  : "may override it");
    }
}

static void print_property(json_object *spec, const char *name, json_object *property, int width)
{
    json_object *schema = json_member(spec, "configSchema");
    json_object *type = json_member(property, "type");
    const char *description = json_member_string(property, "description", NULL);

    terminal_print(stdout, "  %-*s  ", width, name);
    if (json_member(property, "enum") != NULL)
        print_choices(json_member(property, "enum"));
    else if (json_object_is_type(type, json_type_array))
        print_choices(type);
    else
        terminal_print(stdout, "%s", type == NULL ? "any" : plain_text(type));
    if (is_required(schema, name))
        fputs(", required", stdout);
    print_bound(property, "default", "default");
    print_bound(property, "minimum", "at least");
    print_bound(property, "maximum", "at most");
    print_bound(property, "pattern", "matching");
    print_override(spec, name);
    fputc('\n', stdout);
    if (description != NULL)
        terminal_print(stdout, "  %-*s    %s\n", width, "", description);
}

static void print_options(json_object *spec)
{
    json_object *properties = json_member(json_member(spec, "configSchema"), "properties");
    int width = 0;

    if (!json_object_is_type(properties, json_type_object) ||
        json_object_object_length(properties) == 0)
        return;
    {
        json_object_object_foreach(properties, name, property)
        {
            (void)property;
            widen(&width, strlen(name));
        }
    }
    puts("\noptions:");
    json_object_object_foreach(properties, key, value)
        print_property(spec, key, value, width);
}

static void print_list_line(const char *title, json_object *values)
{
    if (json_array_count(values) == 0)
        return;
    terminal_print(stdout, "%-13s", title);
    for (size_t i = 0; i < json_array_count(values); i++)
        terminal_print(stdout, "%s%s", i > 0 ? ", " : "", plain_text(json_object_array_get_idx(values, i)));
    fputc('\n', stdout);
}

static void print_examples(json_object *examples)
{
    if (json_array_count(examples) == 0)
        return;
    puts("\nexamples:");
    for (size_t i = 0; i < json_array_count(examples); i++)
        terminal_print(stdout, "  %s\n",
               json_text(json_object_array_get_idx(examples, i),
                                              JSON_C_TO_STRING_SPACED |
                                                  JSON_C_TO_STRING_NOSLASHESCAPE, NULL));
}

static void print_spec(const struct component *component)
{
    const char *title = json_member_string(component->spec, "title", NULL);
    const char *description = json_member_string(component->spec, "description", NULL);

    terminal_print(stdout, "%s %s (%s)%s%s\n", component->name, component->version, kind_name(component->kind),
           title == NULL ? "" : ": ", title == NULL ? "" : title);
    if (description != NULL)
        terminal_print(stdout, "%s\n", description);
    terminal_print(stdout, "\n%-13s%s\n", "file:", component->file);
    if (component->aliases[0] != NULL) {
        terminal_print(stdout, "%-13s", "also called:");
        for (const char *const *alias = component->aliases; *alias != NULL; alias++)
            terminal_print(stdout, "%s%s", alias == component->aliases ? "" : ", ", *alias);
        fputc('\n', stdout);
    }
    print_list_line("modes:", json_member(component->spec, "modes"));
    print_list_line("secrets:", json_member(component->spec, "secrets"));
    print_options(component->spec);
    print_examples(json_member(component->spec, "examples"));
}

static int execute_show(const struct arguments *arguments)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_registry_ struct registry *registry = build_registry(arguments, &error);

    if (registry == NULL)
        return report_failure(arguments->json, "components", &error, NULL, EXIT_CODE_FAILED);
    const struct component *component = registry_find(registry, arguments->operands[0], &error);
    if (component == NULL)
        return report_failure(arguments->json, "components", &error, NULL, EXIT_CODE_USAGE);
    if (arguments->json) {
        json_object *object = component_json(component);
        json_add(object, "spec", json_object_get(component->spec));
        report_json(object);
    } else {
        print_spec(component);
    }
    return EXIT_CODE_SUCCESS;
}

static const struct option_entry options[] = {
    BUILD_OPTION_DRIVER_DIR,
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct command_entry command_list = {
    .name = "list",
    .summary = "list all components, and the files that were refused and why",
    .options = options,
    .execute = execute_list,
};

static const struct command_entry command_show = {
    .name = "show",
    .operands = "NAME",
    .summary = "show a component's options",
    .options = options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute_show,
};

static const struct command_entry *const subcommands[] = {&command_list, &command_show, NULL};

const struct command_entry command_components = {
    .name = "components",
    .summary = "show the components that pipelines can use",
    .subcommands = subcommands,
};
