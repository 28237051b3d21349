#define _GNU_SOURCE
/* langfuse-local: arguments and subcommands. What they do is in the other files. */
#include "api.h"
#include "environment.h"
#include "preload.h"
#include "price.h"
#include "run.h"
#include "show.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAIN_VERSION "0.2.0"
enum { MAIN_EXIT_USAGE = 2, MAIN_DEFAULT_TREES = 10, MAIN_MAX_URL = 512, MAIN_MAX_PRICES = 4 << 20, MAIN_MAX_HOSTS = 16 };

typedef struct main_options {
    const char *host, *db, *port_file, *color;
    const char *given_db; /* NULL: no option said it */
    api api;
    uint16_t port;
    size_t limit; /* 0: not given */
    const char *allowed[MAIN_MAX_HOSTS];
    size_t allowed_count;
    bool full, all, preload, no_preload, children, keep;
} main_options;

static const char main_help[] =
    "langfuse-local " MAIN_VERSION ": a local Langfuse-compatible server in one binary.\n"
    "\n"
    "  langfuse-local serve [--host 127.0.0.1] [--allow-host NAME] [--allow-origin ORIGIN] [--port 3300] [--db PATH]\n"
    "                       [--public-key K] [--secret-key S] [--port-file PATH] [--write-mode dual|events_only]\n"
    "                       [--version-as V] [--prices FILE] [--quiet]\n"
    "      Receive traces and answer the public API. Port 0 takes any free port. In the write mode events_only the server refuses\n"
    "      what a Langfuse server of version 4 refuses by default: trace events in batches, and the older ways of reading.\n"
    "      Requests must name localhost, HOST or a NAME for their host. Pages of an ORIGIN like http://localhost:5173 may read\n"
    "      answers; with own keys all pages may. --allow-host and --allow-origin may be given 16 times.\n"
    "      It answers as a Langfuse server of version V, 4.16 unless told; from 4.59 on it takes scores in arrays.\n"
    "      FILE has prices of models, as JSON; they win over those that are built in.\n"
    "  langfuse-local tree [TRACE_ID] [--db PATH] [--limit N] [--all] [--full] [--color auto|always|never]\n"
    "      Show the newest trace, the one whose id is or begins with TRACE_ID, or the newest N.\n"
    "  langfuse-local traces [--db PATH] [--limit N] [--all] [--color auto|always|never]\n"
    "      List the newest traces (20 unless told), a line each.\n"
    "  langfuse-local run [--keep] [--db PATH] [--no-preload] [--children] [--quiet] [--limit N] [--all] [--full]\n"
    "                     [--version-as V] [--prices FILE] [--color auto|always|never] [--] PROGRAM [ARGUMENT...]\n"
    "      Run the program with a server of its own, and show its traces when it has ended. Calls of models by libcurl are "
    "recorded,\n"
    "      too, with --children also those of the programs that it starts. The exit status is that of the program.\n"
    "  langfuse-local env [--host 127.0.0.1] [--port 3300] [--public-key K] [--secret-key S] [--preload] [--children]\n"
    "      Print the variables that point a program at such a server, for eval \"$(langfuse-local env)\". With --preload calls of\n"
    "      models by libcurl are recorded, too, with --children also those of the programs that a program starts.\n"
    "\n"
    "The database is PATH, else $LANGFUSE_LOCAL_DB, else langfuse-local.db here. The keys are those given, else\n"
    "$LANGFUSE_PUBLIC_KEY and $LANGFUSE_SECRET_KEY, else pk-lf-local and sk-lf-local.\n";

static const char main_version[] = "langfuse-local " MAIN_VERSION "\n";

static const char *main_from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

static int main_usage_error(const char *problem, const char *what)
{
    fprintf(stderr, "langfuse-local: %s%s (see langfuse-local --help)\n", problem, what);
    return MAIN_EXIT_USAGE;
}

/* For readers of options: a message, and false. */
static bool main_bad_option(const char *problem, const char *what)
{
    main_usage_error(problem, what);
    return false;
}

static int main_failure(const char *why)
{
    fprintf(stderr, "langfuse-local: %s\n", why);
    return EXIT_FAILURE;
}

/* An address with colons stands in brackets in a URL. */
static void main_put_url(char out[MAIN_MAX_URL], const char *host, uint16_t port)
{
    bool brackets = strchr(host, ':') != NULL;
    snprintf(out, MAIN_MAX_URL, "http://%s%s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "", (unsigned)port);
}

static bool main_read_number(const char *given, int64_t most, int64_t *out)
{
    return text_to_int(text_of(given), out) && *out >= 0 && *out <= most;
}

/* Up to a size that no list of prices has. */
static bool main_read_file(const char *path, buf *out)
{
    char piece[4096];
    size_t size;
    FILE *file = fopen(path, "rbe");
    while (file != NULL && !out->failed && (size = fread(piece, 1, sizeof piece, file)) > 0)
        buf_put(out, piece, size);
    bool ok = file != NULL && ferror(file) == 0 && !out->failed;
    if (file != NULL)
        fclose(file);
    return ok;
}

static bool main_add_prices(const char *path)
{
    char why[300] = "cannot read it, or it has more than 4 MiB";
    buf file = {.ceiling = MAIN_MAX_PRICES};
    bool ok = main_read_file(path, &file) && price_add_file(buf_view(&file), why, sizeof why);
    buf_free(&file);
    if (!ok)
        fprintf(stderr, "langfuse-local: --prices %s: %s\n", path, why);
    return ok;
}

/* False after a message on stderr. */
static bool main_read_option(int option, main_options *o)
{
    int64_t number;
    switch (option) {
    case 'h': o->host = optarg; return true;
    case 'A':
        if (o->allowed_count == MAIN_MAX_HOSTS)
            return main_bad_option("too many --allow-host: ", optarg);
        o->allowed[o->allowed_count++] = optarg;
        return true;
    case 'O':
        if (o->api.cors.allowed_count == CORS_MAX_ORIGINS)
            return main_bad_option("too many --allow-origin: ", optarg);
        o->api.cors.allowed[o->api.cors.allowed_count++] = optarg;
        return true;
    case 'd': o->given_db = o->db = optarg; return true;
    case 'k': o->api.keys.public_key = optarg; return true;
    case 's': o->api.keys.secret_key = optarg; return true;
    case 'f': o->port_file = optarg; return true;
    case 'q': o->api.quiet = true; return true;
    case 'F': o->full = true; return true;
    case 'a': o->all = true; return true;
    case 'K': o->keep = true; return true;
    case 'N': o->no_preload = true; return true;
    case 'P': o->preload = true; return true;
    case 'C': o->children = true; return true;
    case 'w':
        if (strcmp(optarg, "dual") != 0 && strcmp(optarg, "events_only") != 0)
            return main_bad_option("--write-mode is dual or events_only, not ", optarg);
        o->api.events_only = strcmp(optarg, "events_only") == 0;
        return true;
    case 'v':
        if (!api_read_version(text_of(optarg), &o->api.version))
            return main_bad_option("--version-as is a version like 4.59, not ", optarg);
        return true;
    case 'r': return main_add_prices(optarg);
    case 'p':
        if (!main_read_number(optarg, UINT16_MAX, &number))
            return main_bad_option("not a port: ", optarg);
        o->port = (uint16_t)number;
        return true;
    case 'l':
        if (!main_read_number(optarg, INT32_MAX, &number) || number == 0)
            return main_bad_option("not a number of traces: ", optarg);
        o->limit = (size_t)number;
        return true;
    case 'c':
        if (strcmp(optarg, "auto") != 0 && strcmp(optarg, "always") != 0 && strcmp(optarg, "never") != 0)
            return main_bad_option("--color is auto, always or never, not ", optarg);
        o->color = optarg;
        return true;
    default: return false;
    }
}

/* ---- Serve ---- */

/* The file is written under another name first: a reader never sees half a number. */
static bool main_write_port_file(const char *path, uint16_t port)
{
    buf temporary = {0};
    buf_format(&temporary, "%s.%ld.tmp", path, (long)getpid());
    buf_char(&temporary, '\0');
    FILE *file = temporary.failed ? NULL : fopen(temporary.at, "w");
    bool ok = file != NULL && fprintf(file, "%u\n", (unsigned)port) > 0;
    if (file != NULL && fclose(file) != 0)
        ok = false;
    ok = ok && rename(temporary.at, path) == 0;
    if (!ok && file != NULL)
        unlink(temporary.at);
    buf_free(&temporary);
    return ok;
}

static void main_announce(const char *host, uint16_t port)
{
    char url[MAIN_MAX_URL];
    main_put_url(url, host, port);
    printf("langfuse-local listening on %s\n", url);
    fflush(stdout);
}

/* Everybody knows the keys of a server that is told none. */
static void main_warn_of_keys(const main_options *o, const http_server *server)
{
    if (!o->api.quiet && http_is_public(server) && strcmp(o->api.keys.secret_key, AUTH_LOCAL_KEYS.secret_key) == 0)
        fprintf(stderr, "langfuse-local: warning: other machines can read and write here with the keys that everybody knows;"
                        " choose others with --public-key and --secret-key\n");
}

static int main_serve_until_signal(main_options *o, const sigset_t *stop)
{
    char why[256];
    int received = 0;
    const http_options options = {.hosts = {o->host, o->allowed, o->allowed_count, false},
                                  .port = o->port,
                                  .gate = api_gate,
                                  .handler = api_handle,
                                  .context = &o->api};
    http_server *server = http_start(&options, why, sizeof why);
    if (server == NULL)
        return main_failure(why);
    if (o->port_file != NULL && !main_write_port_file(o->port_file, http_port(server))) {
        http_stop(server);
        return main_failure("cannot write the port file");
    }
    main_warn_of_keys(o, server);
    main_announce(o->host, http_port(server));
    sigwait(stop, &received);
    http_stop(server);
    return EXIT_SUCCESS;
}

static int main_serve(main_options *o)
{
    char why[512];
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL); /* before any thread starts, so that only sigwait sees them */
    signal(SIGPIPE, SIG_IGN);                /* writing to a client that is gone must not end the process */
    signal(SIGXFSZ, SIG_IGN);                /* nor must a database that may not grow: such a write fails */
    o->api.store = store_open(o->db, false, why, sizeof why);
    if (o->api.store == NULL)
        return main_failure(why);
    int status = main_serve_until_signal(o, &stop);
    store_close(o->api.store);
    return status;
}

/* ---- Tree and traces ---- */

/* False when reading or writing failed. */
static bool main_print_trace(store *s, text id, show_render *as, const tree_style *style)
{
    buf out = {0};
    bool ok = show_trace(&out, s, id, as, style);
    ok = ok && fwrite(out.at != NULL ? out.at : "", 1, out.size, stdout) == out.size;
    buf_free(&out);
    return ok;
}

static bool main_contains(const text *ids, size_t count, text id)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(ids[i], id))
            return true;
    return false;
}

static int main_print_traces(store *s, const main_options *o, text prefix, size_t limit, show_render *as)
{
    arena memory = {0};
    text *ids = NULL;
    size_t count = 0;
    tree_style style = show_style(STDOUT_FILENO, o->color, o->full);
    int status = EXIT_FAILURE;
    bool read = store_newest_traces(s, &memory, prefix, prefix.size > 0 ? 100 : limit, &ids, &count);
    if (read && prefix.size > 0 && main_contains(ids, count, prefix)) { /* a whole id, even if others begin with it */
        ids[0] = prefix;
        count = 1;
    }
    if (!read)
        main_failure("cannot read the database");
    else if (count == 0 && prefix.size > 0)
        fprintf(stderr, "langfuse-local: no trace whose id begins with %.*s\n", (int)(prefix.size < 100 ? prefix.size : 100),
                prefix.at);
    else if (count == 0)
        fprintf(stderr, "No traces yet in %s. Start `langfuse-local serve`, run a program, and look again.\n", o->db);
    else if (prefix.size > 0 && count > 1)
        fprintf(stderr, "langfuse-local: several traces begin so; give more of the id\n");
    else
        status = EXIT_SUCCESS;
    for (size_t i = 0; status == EXIT_SUCCESS && i < count; i++) {
        if (i > 0 && as == tree_render)
            putchar('\n');
        if (!main_print_trace(s, ids[i], as, &style))
            status = main_failure(ferror(stdout) ? "cannot write" : "cannot read the trace");
    }
    if (status == EXIT_SUCCESS && fflush(stdout) != 0)
        status = main_failure("cannot write");
    arena_free(&memory);
    return status;
}

static int main_show(const main_options *o, const char *trace_id, show_render *as, size_t default_limit)
{
    char why[512];
    size_t limit = o->all ? INT32_MAX : o->limit > 0 ? o->limit : default_limit;
    if (access(o->db, F_OK) != 0) {
        fprintf(stderr, "No database at %s yet. Start `langfuse-local serve`, run a program, and look again.\n", o->db);
        return EXIT_FAILURE;
    }
    store *s = store_open(o->db, true, why, sizeof why);
    if (s == NULL)
        return main_failure(why);
    int status = main_print_traces(s, o, text_of(trace_id), limit, as);
    store_close(s);
    return status;
}

/* ---- Run and env ---- */

static int main_run_program(const main_options *o, char **argv)
{
    run_options options = {.db = o->given_db,
                           .keep = o->keep,
                           .no_preload = o->no_preload,
                           .children = o->children,
                           .quiet = o->api.quiet,
                           .full = o->full,
                           .color = o->color,
                           .version = o->api.version,
                           .limit = o->all         ? INT32_MAX
                                    : o->limit > 0 ? o->limit
                                                   : MAIN_DEFAULT_TREES};
    return argv[0] == NULL ? main_usage_error("no program to run", "") : run_program(&options, argv);
}

static int main_print(text words)
{
    return fwrite(words.at, 1, words.size, stdout) != words.size || fflush(stdout) != 0 ? main_failure("cannot write")
                                                                                        : EXIT_SUCCESS;
}

/* Without the library to preload the other variables are printed all the same. */
static int main_env(const main_options *o)
{
    arena memory = {0};
    buf out = {0};
    char url[MAIN_MAX_URL], why[512];
    environment_changes changes;
    main_put_url(url, o->host, o->port);
    environment_wish wish = {url, o->api.keys.public_key, o->api.keys.secret_key, NULL, o->children};
    if (o->preload)
        wish.preload = preload_find(&memory, environment_get(environ, "LANGFUSE_CURL_LIBRARY"), why, sizeof why);
    int status = o->preload && wish.preload == NULL ? main_failure(why) : EXIT_SUCCESS;
    environment_plan(&memory, environ, &wish, &changes);
    environment_write(&out, &changes);
    if (out.failed || memory.failed)
        status = main_failure("out of memory");
    else if (main_print(buf_view(&out)) != EXIT_SUCCESS)
        status = EXIT_FAILURE;
    buf_free(&out);
    arena_free(&memory);
    return status;
}

/* ---- Arguments ---- */

#define MAIN_EVERYWHERE {"help", no_argument, NULL, 'H'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}

static const struct option main_serve_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"allow-host", required_argument, NULL, 'A'},
    {"allow-origin", required_argument, NULL, 'O'},
    {"port", required_argument, NULL, 'p'},
    {"db", required_argument, NULL, 'd'},
    {"public-key", required_argument, NULL, 'k'},
    {"secret-key", required_argument, NULL, 's'},
    {"port-file", required_argument, NULL, 'f'},
    {"quiet", no_argument, NULL, 'q'},
    {"write-mode", required_argument, NULL, 'w'},
    {"version-as", required_argument, NULL, 'v'},
    {"prices", required_argument, NULL, 'r'},
    MAIN_EVERYWHERE,
};

static const struct option main_show_options[] = {
    {"db", required_argument, NULL, 'd'}, {"limit", required_argument, NULL, 'l'}, {"all", no_argument, NULL, 'a'},
    {"full", no_argument, NULL, 'F'},     {"color", required_argument, NULL, 'c'}, MAIN_EVERYWHERE,
};

static const struct option main_run_options[] = {
    {"db", required_argument, NULL, 'd'},     {"keep", no_argument, NULL, 'K'},
    {"no-preload", no_argument, NULL, 'N'},   {"children", no_argument, NULL, 'C'},
    {"quiet", no_argument, NULL, 'q'},        {"limit", required_argument, NULL, 'l'},
    {"all", no_argument, NULL, 'a'},          {"full", no_argument, NULL, 'F'},
    {"color", required_argument, NULL, 'c'},  {"version-as", required_argument, NULL, 'v'},
    {"prices", required_argument, NULL, 'r'}, MAIN_EVERYWHERE,
};

static const struct option main_env_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"public-key", required_argument, NULL, 'k'},
    {"secret-key", required_argument, NULL, 's'},
    {"preload", no_argument, NULL, 'P'},
    {"children", no_argument, NULL, 'C'},
    MAIN_EVERYWHERE,
};

typedef enum main_command_id { MAIN_SERVE, MAIN_TREE, MAIN_TRACES, MAIN_RUN, MAIN_ENV } main_command_id;

/* How many arguments stand behind the options at most. */
typedef struct main_command {
    const char *name;
    const struct option *options;
    main_command_id id;
    int arguments;
} main_command;

static const main_command main_commands[] = {
    {"serve", main_serve_options, MAIN_SERVE, 0},  {"tree", main_show_options, MAIN_TREE, 1},
    {"traces", main_show_options, MAIN_TRACES, 0}, {"run", main_run_options, MAIN_RUN, INT32_MAX},
    {"env", main_env_options, MAIN_ENV, 0},
};

static const main_command *main_find_command(const char *name)
{
    for (size_t i = 0; i < sizeof main_commands / sizeof *main_commands; i++)
        if (strcmp(main_commands[i].name, name) == 0)
            return &main_commands[i];
    return NULL;
}

/* `argv` begins with what stands behind the options, and ends in NULL. */
static int main_do(const main_command *command, char **argv, main_options *o)
{
    switch (command->id) {
    case MAIN_SERVE: return main_serve(o);
    case MAIN_TREE: return main_show(o, argv[0], tree_render, 1);
    case MAIN_TRACES: return main_show(o, NULL, tree_render_summary, 20);
    case MAIN_RUN: return main_run_program(o, argv);
    case MAIN_ENV: return main_env(o);
    }
    return EXIT_FAILURE;
}

static int main_read_arguments(const main_command *command, int argc, char **argv, main_options *o)
{
    int option;
    opterr = 0; /* main_usage_error writes the message */
    while ((option = getopt_long(argc, argv, command->id == MAIN_RUN ? "+" : "", command->options, NULL)) != -1) {
        if (option == 'H')
            return main_print(text_of(main_help));
        if (option == 'V')
            return main_print(text_of(main_version));
        if (option == '?')
            return main_usage_error("an option is unknown or lacks its value: ", argv[optind - 1]);
        if (!main_read_option(option, o))
            return MAIN_EXIT_USAGE;
    }
    if (argc - optind > command->arguments)
        return main_usage_error("too many arguments: ", argv[argc - 1]);
    return main_do(command, argv + optind, o);
}

int main(int argc, char **argv)
{
    main_options o = {.host = "127.0.0.1", .port = 3300, .color = "auto", .api = {.version = API_LANGFUSE_VERSION}};
    o.db = main_from_environment("LANGFUSE_LOCAL_DB", "langfuse-local.db");
    o.api.keys.public_key = main_from_environment("LANGFUSE_PUBLIC_KEY", AUTH_LOCAL_KEYS.public_key);
    o.api.keys.secret_key = main_from_environment("LANGFUSE_SECRET_KEY", AUTH_LOCAL_KEYS.secret_key);
    if (argc < 2)
        return main_usage_error("no command", "");
    if (strcmp(argv[1], "--help") == 0)
        return main_print(text_of(main_help));
    if (strcmp(argv[1], "--version") == 0)
        return main_print(text_of(main_version));
    const main_command *command = main_find_command(argv[1]);
    return command == NULL ? main_usage_error("unknown command: ", argv[1]) : main_read_arguments(command, argc - 1, argv + 1, &o);
}
