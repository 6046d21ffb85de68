# skep. `make help` lists the targets; V=1 shows the commands. Everything a packager sets is ?=.

VERSION := 0.1.0

CC ?= cc
AR ?= ar
PKG_CONFIG ?= pkg-config
INSTALL ?= install
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/skep
DATADIR ?= $(PREFIX)/share/skep
MANDIR ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
SYSTEMDUNITDIR ?= /etc/systemd/system
SYSUSERSDIR ?= /etc/sysusers.d
TMPFILESDIR ?= /etc/tmpfiles.d
SYSCTLDIR ?= /etc/sysctl.d
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
BASHCOMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPLETIONDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPLETIONDIR ?= $(PREFIX)/share/fish/vendor_completions.d
BUILD ?= build
NSPAWN ?= /usr/bin/systemd-nspawn
NIX ?= /usr/bin/nix
# Not empty where the client can be linked with libyaml: it then reads the files of Chimera Spawn.
YAML ?= $(filter /%,$(shell $(CC) -print-file-name=libyaml.a))

CFLAGS ?= -O2 -g
CPPFLAGS ?=
LDFLAGS ?=
CLANG_FORMAT ?= clang-format
SCDOC ?= scdoc
NODE ?= node
NPM ?= npm
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wundef -Wnull-dereference
HARDENING ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
ifneq ($(WERROR),)
WARNINGS += -Werror
endif
INSTRUMENT :=
ifneq ($(SANITIZE),)
INSTRUMENT := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -DSKEP_SANITIZE
HARDENING :=
endif
ifneq ($(COVERAGE),)
INSTRUMENT += -fprofile-instr-generate -fcoverage-mapping
endif
ifneq ($(FUZZING),)
INSTRUMENT += -fsanitize=fuzzer-no-link
endif
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$(1)' '$(2)')

PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags libgit2 libsystemd jansson libevent_core 2>/dev/null)
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Isrc $(WARNINGS) $(HARDENING) -fPIE $(CPPFLAGS) $(CFLAGS) $(INSTRUMENT) \
	-DSKEP_VERSION='"$(VERSION)"' -DSKEP_NSPAWN='"$(NSPAWN)"' $(if $(YAML),,-DSKEP_NO_YAML) -DSKEP_NIX='"$(NIX)"' -DSKEP_DATADIR='"$(DATADIR)"' $(PKG_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LDFLAGS)

LAYERS := base model wire declare git nix host control web
PROGRAMS := skepd skep-exec skep-export skep-build skep-web skep

LIBS_skepd = libgit2 nettle zlib libutf8proc libsystemd libsodium jansson libevent_core
LIBS_skep-exec = libsystemd jansson libevent_core
LIBS_skep-export = libgit2 jansson
LIBS_skep-build = libgit2 nettle jansson libevent_core
LIBS_skep-web = libsystemd jansson libevent_extra libevent_core
USES_skepd = control host nix git wire model base
USES_skep-exec = host model base
USES_skep-export = git base
USES_skep-build = nix git model base
USES_skep-web = web wire model base
USES_skep = declare wire model base

# Instrumented programs say where their reports go; tests and fuzzers tell on standard error.
REPORTING := $(if $(SANITIZE),$(BUILD)/obj/tests/sanitizer.o)
$(REPORTING): tests/sanitizer.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -DREPORTS='"$(abspath $(BUILD))/reports/all"' -MMD -MP -c -o $@ $<

sources = $(sort $(wildcard src/$(1)/*.c))
objects = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(call sources,$(1)))
archives = $(foreach l,$(1),$(if $(call sources,$(l)),$(BUILD)/lib$(l).a))

all: $(foreach p,$(PROGRAMS),$(if $(call sources,$(p)),$(BUILD)/$(p))) $(BUILD)/templates ## the programs, in build/

# The dashboard: files of ours and a few named ones of npm's packages, with the hash of their content in their names. Made
# where npm is there; the packages are unpacked in build/, exactly as the lock file says, and run no script of theirs.
DASHBOARD := $(if $(shell command -v $(NPM) 2>/dev/null),$(BUILD)/dashboard/manifest.json)
all: $(DASHBOARD)

# npm_packages DIRECTORY, NAME: what DIRECTORY/package-lock.json names, in build/npm/NAME/node_modules
define npm_packages
$(BUILD)/npm/$(2)/node_modules/.package-lock.json: $(1)/package.json $(1)/package-lock.json
	$(call say,NPM,$(1))
	$(Q)mkdir -p $(BUILD)/npm/$(2) && cp $$^ $(BUILD)/npm/$(2)/
	$(Q)cd $(BUILD)/npm/$(2) && $(NPM) ci --ignore-scripts --no-audit --no-fund --silent && touch node_modules/.package-lock.json

endef
$(eval $(call npm_packages,share/dashboard,dashboard))
$(eval $(call npm_packages,tests/browser,browser))
$(eval $(call npm_packages,tests/web,web))

$(BUILD)/dashboard/manifest.json: $(wildcard share/dashboard/*) $(BUILD)/npm/dashboard/node_modules/.package-lock.json
	$(call say,PAGES,$(@D))
	$(Q)$(NODE) share/dashboard/build.mjs share/dashboard $(BUILD)/npm/dashboard/node_modules $(@D)

demo: all ## a hive on this machine, as root; DEMO_ONCE=1 plays the operator and takes it down again
	$(Q)share/demo/demo '$(BUILD)'

# Changes exactly when what would be compiled with changes, so that new flags rebuild and a new target does not.
$(BUILD)/flags: export FLAGS_NOW = $(CC) $(filter-out -Werror,$(ALL_CFLAGS)) $(ALL_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS_NOW" | cmp -s - $@ || printf '%s\n' "$$FLAGS_NOW" > $@

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define layer_rule
$(BUILD)/lib$(1).a: $(call objects,$(1))
	$(call say,AR,$$@)
	$(Q)rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

define program_rule
$(BUILD)/$(1): $(call objects,$(1)) $(REPORTING) $(call archives,$(USES_$(1)))
	$(call say,LINK,$$@)
	$(Q)$(CC) $(CFLAGS) $(INSTRUMENT) $(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $$(shell $(PKG_CONFIG) --libs $$(LIBS_$(1)))
endef
$(foreach p,$(filter-out skep,$(PROGRAMS)),$(eval $(call program_rule,$(p))))

# The client runs on any base image, so it needs nothing of it: static, with jansson, and libyaml for others' files.
$(BUILD)/skep: $(call objects,skep) $(REPORTING) $(call archives,$(USES_skep))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(if $(INSTRUMENT),$(INSTRUMENT),-static) -o $@ $(filter %.o,$^) $(filter %.a,$^) -ljansson $(if $(YAML),-lyaml)

# The description of the HTTP interface is part of the program.
$(BUILD)/obj/web/openapi.o: src/web/openapi.json

# A program that was built but not installed finds its templates beside it.
$(BUILD)/templates:
	@mkdir -p $(BUILD)
	$(Q)ln -sfn '$(CURDIR)/templates' $@

# Unit tests: one program per file, linked with every layer its own layer may use.
TEST_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c))
TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(TEST_SOURCES))
TEST_ARCHIVES = $(BUILD)/libcorpus.a $(call archives,control web host nix git declare wire model base)
TEST_LIBS = $(shell $(PKG_CONFIG) --libs cmocka libgit2 nettle zlib libutf8proc libsystemd libsodium jansson libevent_extra libevent_core) $(if $(YAML),-lyaml)

$(BUILD)/unit/%: tests/unit/%.c $(TEST_ARCHIVES) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Itests -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(TEST_ARCHIVES) $(TEST_LIBS)

# The client's tests have its own logic to link with, and a daemon that answers from a table.
$(BUILD)/libskep.a: $(filter-out %/main.o,$(call objects,skep))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/obj/tests/skep/fake.o: tests/unit/skep/fake.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP -c -o $@ $<

$(filter $(BUILD)/unit/skep/%,$(TESTS)): $(BUILD)/unit/skep/%: tests/unit/skep/%.c $(BUILD)/obj/tests/skep/fake.o $(BUILD)/libskep.a \
		$(call archives,$(USES_skep)) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(filter %.o %.a,$^) -lcmocka -ljansson $(if $(YAML),-lyaml)

# Tests of skep-exec have its own logic, too.
$(BUILD)/libskep-exec.a: $(filter-out %/main.o,$(call objects,skep-exec))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(filter $(BUILD)/unit/skep-exec/%,$(TESTS)): $(BUILD)/unit/skep-exec/%: tests/unit/skep-exec/%.c $(BUILD)/libskep-exec.a $(TEST_ARCHIVES) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libskep-exec.a $(TEST_ARCHIVES) $(TEST_LIBS)

# The corpus of hostile repositories, which unit and host tests share.
$(BUILD)/corpus/%.o: tests/corpus/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -c -o $@ $<

$(BUILD)/libcorpus.a: $(patsubst tests/corpus/%.c,$(BUILD)/corpus/%.o,$(sort $(wildcard tests/corpus/*.c)))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Programs that host tests call.
HELPERS := $(patsubst tests/helpers/%.c,$(BUILD)/helpers/%,$(sort $(wildcard tests/helpers/*.c)))

$(BUILD)/helpers/%: tests/helpers/%.c $(TEST_ARCHIVES) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,HELPER,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(TEST_ARCHIVES) $(TEST_LIBS)

# What is tried from inside containers; static, for any root.
HELPERS += $(BUILD)/helpers/attack
$(BUILD)/helpers/attack: $(wildcard tests/attack/*.c) tests/attack/attack.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,HELPER,tests/attack)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests $(ALL_LDFLAGS) $(if $(INSTRUMENT),,-static) -o $@ $(filter %.c,$^)

# What services of a test host are started with: a date that jumps, an allocator that forgets.
PRELOADS := $(BUILD)/helpers/clock.so $(BUILD)/helpers/leak.so
HELPERS += $(PRELOADS)
$(PRELOADS): $(BUILD)/helpers/%.so: tests/host/lib/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,HELPER,$<)
	$(Q)$(CC) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC -shared -o $@ $<

# Fuzzing: what outside data is read by, each under libFuzzer. A target is a file of tests/fuzz and the most bytes of an input.
FUZZ_TARGETS := names:200 config:4096 agent_json:4096 settings:2048 request:4096 http:2048 tree:1024 commit:2048 lock:8192 tag:4096 \
	conf:2048 log:2048 spec:4096 exec_message:4096 closure:2048 declared:4096
FUZZ_ARCHIVES_log = $(BUILD)/libskep.a
FUZZ_ARCHIVES_exec_message = $(BUILD)/libskep-exec.a
FUZZ_CC ?= clang
SANITIZE_CC ?= clang
SECONDS ?= 60
FUZZERS := $(foreach t,$(FUZZ_TARGETS),$(BUILD)/fuzzer/$(firstword $(subst :, ,$(t))))

FUZZ_LAYERS = $(call archives,web host nix git declare wire model base)
define fuzzer_rule
$(BUILD)/fuzzer/$(1): tests/fuzz/$(1).c $$(FUZZ_ARCHIVES_$(1)) $(FUZZ_LAYERS) $(BUILD)/flags
	@mkdir -p $$(@D)
	$(call say,FUZZ,$$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/fuzz -MMD -MP $(ALL_LDFLAGS) -fsanitize=fuzzer -o $$@ $$< $$(FUZZ_ARCHIVES_$(1)) $(FUZZ_LAYERS) $(TEST_LIBS)
endef
$(foreach f,$(notdir $(FUZZERS)),$(eval $(call fuzzer_rule,$(f))))

fuzzers: $(FUZZERS)

# Unit tests that are quick also when instrumented; all but those of whole hives.
SANITIZED_LAYERS := base model wire declare git nix host web skep
sanitized: $(BUILD)/skep $(filter $(foreach l,$(SANITIZED_LAYERS),$(BUILD)/unit/$(l)/%),$(TESTS))

build-fuzzers: INSTRUMENTED = fuzzers
build-instrumented: INSTRUMENTED = fuzzers sanitized
build-fuzzers build-instrumented:
	$(Q)$(MAKE) BUILD=$(BUILD)/fuzz CC='$(FUZZ_CC)' SANITIZE=address,undefined FUZZING=1 $(INSTRUMENTED)

fuzz: build-fuzzers ## every reader of outside data under libFuzzer, SECONDS each (60); FUZZ=NAME: that one
	$(Q)BUILD=$(BUILD) FUZZ_SECONDS=$(SECONDS) FUZZ_TARGETS='$(if $(FUZZ),$(filter $(FUZZ):%,$(FUZZ_TARGETS)),$(FUZZ_TARGETS))' tests/run fuzz

# A daemon that dies at each call by which it changes something.
SWEEP := $(BUILD)/crash/sweep
$(SWEEP): $(wildcard tests/crash/*.[ch]) $(TEST_ARCHIVES) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,TEST,tests/crash)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Itests/crash $(ALL_LDFLAGS) -o $@ $(wildcard tests/crash/*.c) $(TEST_ARCHIVES) $(TEST_LIBS)

# Checks. tests/run runs them and counts; its last line is "N passed, N failed".
BROWSER_TESTS := $(BUILD)/npm/browser/node_modules/.package-lock.json
BUDGET_TOOLS := $(BUILD)/bench/fill $(BUILD)/bench/paths

check: all $(TESTS) $(HELPERS) $(SWEEP) $(BROWSER_TESTS) $(BUDGET_TOOLS) build-instrumented ## lint, unit, fuzz, host, attack, HTTP and browser tests, budgets (as root)
	$(Q)BUILD=$(BUILD) CC='$(CC)' FUZZ_SECONDS=$(SECONDS) FUZZ_SEED=1 FUZZ_TARGETS='$(FUZZ_TARGETS)' SANITIZED_LAYERS='$(SANITIZED_LAYERS)' tests/run lint unit sanitized model crash fuzz host attack web browser budget

check-unit: all $(TESTS) ## unit tests alone
	$(Q)BUILD=$(BUILD) tests/run unit

check-model: ## the deploy protocol as a model, in every state it can reach
	$(Q)BUILD=$(BUILD) CC='$(CC)' tests/run model

OPERATIONS ?= 100000
POINTS ?= 10000
check-crash: all $(BUILD)/unit/control/test_random $(SWEEP) ## a hive that dies at POINTS (10000) system calls, and over one in five of OPERATIONS (100000) by chance
	$(Q)BUILD=$(BUILD) CRASH_OPERATIONS=$(OPERATIONS) CRASH_POINTS=$(POINTS) CRASH_SECONDS=86400 tests/run crash

check-faults: all $(BUILD)/unit/control/test_faults ## every fault at every system call of every step of a hive's life; SKEP_STEP=deploy: of one
	$(Q)SKEP_FAULTS=all $(BUILD)/unit/control/test_faults

check-kills: all $(HELPERS) ## processes of a hive that has work killed at random for SECONDS (60), as root; SEED=N draws the same
	$(Q)BUILD=$(BUILD) KILLS_SECONDS=$(SECONDS) KILLS_SEED=$(SEED) bats --tap tests/host/hive-kills.bats

check-leaks: all $(HELPERS) ## memory and descriptors of the services over OPERATIONS (10000) of every kind, as root
	$(Q)BUILD=$(BUILD) LEAKS_OPERATIONS=$(OPERATIONS) bats --tap tests/leaks/hive-leaks.bats

check-leaks: OPERATIONS = 10000

check-host: all $(HELPERS) ## the real daemon in real containers, as root
	$(Q)BUILD=$(BUILD) tests/run host

check-attack: all $(HELPERS) ## the host attacked from inside its containers, as root
	$(Q)BUILD=$(BUILD) tests/run attack

# What the HTTP tests check answers with, and hold the table of routes to.
check check-web: $(BUILD)/npm/web/node_modules/.package-lock.json
check-web: all $(BUILD)/helpers/routes ## the dashboard's server and clients that mean it ill, as root
	$(Q)BUILD=$(BUILD) tests/run web

# Measurements: the programs beside a stand-in for skep-exec, whose containers are simulated, and small tools.
BENCH_TOOLS := $(patsubst tests/bench/tools/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/tools/*.c))
BENCH_PROGRAMS := $(addprefix $(BUILD)/bench/,skepd skep-export skep-build skep-web skep)

$(BENCH_TOOLS): $(BUILD)/bench/%: tests/bench/tools/%.c $(TEST_ARCHIVES) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,TOOL,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(TEST_ARCHIVES) $(TEST_LIBS)

# Copies: programs find each other as neighbours of their own file.
$(BENCH_PROGRAMS): $(BUILD)/bench/%: $(BUILD)/%
	@mkdir -p $(@D)
	$(Q)cp $< $@ && ln -sfn '$(CURDIR)/templates' $(@D)/templates && ln -sfn ../dashboard $(@D)/dashboard

budget: $(BUDGET_TOOLS) ## the instructions that hot paths take, held to what they may take; RENEW=1 writes what they take now
	$(Q)tests/bench/budget $(if $(RENEW),--renew) '$(BUILD)'

ROWS ?=
SIZE ?= full
bench: all $(BENCH_TOOLS) $(BENCH_PROGRAMS) ## how fast and how large, side by side with others (as root); ROWS="submit verdict" SIZE=short
	$(Q)rm -rf '$(BUILD)/bench/stage' && $(MAKE) -s install DESTDIR='$(abspath $(BUILD))/bench/stage'
	$(Q)tests/bench/run --build '$(BUILD)' --size '$(SIZE)' $(ROWS)

check-browser: all $(BROWSER_TESTS) ## the dashboard in Chromium, over a real hive (as root) and over one in memory
	$(Q)BUILD=$(BUILD) tests/run browser

lint: ## layers, headers, format, shell scripts, clang's warnings, gcc's analyzer
	$(Q)BUILD=$(BUILD) CC='$(CC)' tests/run lint

C_FILES = $(shell find src tests -name '*.[ch]')

fmt: ## make every C file look as .clang-format says
	$(Q)$(CLANG_FORMAT) -i $(C_FILES)

sanitize: ## unit tests under the address and undefined behaviour sanitizers
	$(Q)UNIT_SECONDS=1200 $(MAKE) BUILD=$(BUILD)/sanitize CC='$(SANITIZE_CC)' SANITIZE=address,undefined check-unit

sanitize-host: ## host tests of programs under those sanitizers, as root
	$(Q)$(MAKE) BUILD=$(BUILD)/sanitize CC='$(SANITIZE_CC)' SANITIZE=address,undefined check-host

coverage: ## how much of each file the unit tests reach
	$(Q)rm -rf $(BUILD)/coverage/profile
	$(Q)LLVM_PROFILE_FILE='$(abspath $(BUILD))/coverage/profile/%p.profraw' $(MAKE) BUILD=$(BUILD)/coverage CC=clang \
		COVERAGE=1 HARDENING= CFLAGS='-O1 -g' check-unit
	$(Q)llvm-profdata merge -sparse -o $(BUILD)/coverage/all.profdata $(BUILD)/coverage/profile/*.profraw
	$(Q)llvm-cov report -instr-profile=$(BUILD)/coverage/all.profdata \
		$(foreach t,$(TESTS),-object $(patsubst $(BUILD)/%,$(BUILD)/coverage/%,$(t))) $(wildcard src/*/*.c)

analyze: ## gcc's static analyzer over every file of the programs; lint does it, too
	$(Q)BUILD=$(BUILD) tests/lint/analyzer

compile_commands.json: FORCE ## for clangd and clang-tidy
	$(Q)BUILD=$(BUILD) tests/compile-commands > $@

print-flags:
	@printf '%s\n' $(ALL_CFLAGS)

# Installing. What is in share/ goes where systemd and the shells look for it, with the programs' place filled in.
SHARE_systemd = $(SYSTEMDUNITDIR)
SHARE_sysusers.d = $(SYSUSERSDIR)
SHARE_tmpfiles.d = $(TMPFILESDIR)
SHARE_sysctl.d = $(SYSCTLDIR)
SHARE_journal = $(CATALOGDIR)
SHARE := $(foreach d,systemd sysusers.d tmpfiles.d sysctl.d journal,$(wildcard share/$(d)/*))
share_target = $(SHARE_$(patsubst %/,%,$(dir $(1:share/%=%))))/$(notdir $(1))
LINKS := skep skepd
MAN := $(if $(shell command -v $(SCDOC) 2>/dev/null),$(patsubst share/man/%.scd,$(BUILD)/man/%,$(wildcard share/man/*.scd)))
man_target = $(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))
COMPLETIONS := $(wildcard share/completions/*)
COMPLETION_skep.bash = $(BASHCOMPLETIONDIR)/skep
COMPLETION__skep = $(ZSHCOMPLETIONDIR)/_skep
COMPLETION_skep.fish = $(FISHCOMPLETIONDIR)/skep.fish
INSTALLED = $(addprefix $(LIBEXECDIR)/,$(PROGRAMS)) $(addprefix $(BINDIR)/,$(LINKS)) $(foreach f,$(SHARE),$(call share_target,$(f))) \
	$(foreach f,$(MAN),$(call man_target,$(f))) $(foreach f,$(COMPLETIONS),$(COMPLETION_$(notdir $(f))))

$(BUILD)/man/%: share/man/%.scd
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)$(SCDOC) < $< > $@

# Written where scdoc is there.
man: $(MAN)
all: $(MAN)

define install_file
	$(Q)$(INSTALL) -D -m 0644 '$(1)' '$(DESTDIR)$(2)'

endef
define install_share
	$(Q)$(INSTALL) -d '$(DESTDIR)$(dir $(2))' && sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' '$(1)' > '$(DESTDIR)$(2)' && chmod 0644 '$(DESTDIR)$(2)'

endef

install: all man ## programs, units, templates and pages, below DESTDIR
	$(call say,INST,$(DESTDIR)$(LIBEXECDIR))
	$(Q)$(INSTALL) -d '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(DATADIR)'
	$(Q)$(INSTALL) -m 0755 $(wildcard $(addprefix $(BUILD)/,$(PROGRAMS))) '$(DESTDIR)$(LIBEXECDIR)'
	$(Q)for l in $(LINKS); do ln -sfn "$(LIBEXECDIR)/$$l" "$(DESTDIR)$(BINDIR)/$$l"; done
	$(Q)rm -rf '$(DESTDIR)$(DATADIR)/templates'
	$(Q)[ ! -d templates ] || cp -R --preserve=mode templates '$(DESTDIR)$(DATADIR)/templates'
	$(Q)rm -rf '$(DESTDIR)$(DATADIR)/schema'
	$(Q)cp -R --preserve=mode share/schema '$(DESTDIR)$(DATADIR)/schema'
	$(Q)rm -rf '$(DESTDIR)$(DATADIR)/dashboard'
	$(if $(DASHBOARD),$(Q)cp -R --preserve=mode '$(BUILD)/dashboard' '$(DESTDIR)$(DATADIR)/dashboard')
	$(foreach f,$(SHARE),$(call install_share,$(f),$(call share_target,$(f))))
	$(foreach f,$(MAN),$(call install_file,$(f),$(call man_target,$(f))))
	$(foreach f,$(COMPLETIONS),$(call install_file,$(f),$(COMPLETION_$(notdir $(f)))))

uninstall: ## remove what install put there
	$(Q)rm -f $(foreach f,$(INSTALLED),'$(DESTDIR)$(f)')
	$(Q)rm -rf '$(DESTDIR)$(DATADIR)/templates' '$(DESTDIR)$(DATADIR)/schema' '$(DESTDIR)$(DATADIR)/dashboard'
	$(Q)for d in '$(DESTDIR)$(DATADIR)' '$(DESTDIR)$(LIBEXECDIR)'; do [ ! -d "$$d" ] || rmdir --ignore-fail-on-non-empty "$$d"; done

dist: ## the sources of the commit checked out, as a tar file
	$(Q)mkdir -p $(BUILD)
	$(Q)git archive --format=tar.gz --prefix=skep-$(VERSION)/ -o $(BUILD)/skep-$(VERSION).tar.gz HEAD
	$(call say,DIST,$(BUILD)/skep-$(VERSION).tar.gz)

clean: ## remove what was built
	$(Q)rm -rf $(BUILD) compile_commands.json

help: ## this list
	@sed -n 's/^\([a-z][a-z_.-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r t d; do \
		printf '  %-22s %s\n' "$$t" "$$d"; done
	@echo
	@echo 'Variables: PREFIX DESTDIR CC CFLAGS LDFLAGS BUILD V=1 (show commands) WERROR=1 (warnings are errors)'

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)

FORCE:
.PHONY: FORCE all demo bench budget fuzz fuzzers sanitized build-fuzzers build-instrumented check check-unit check-model check-crash check-faults check-kills check-leaks check-host check-attack check-web check-browser lint fmt sanitize sanitize-host coverage analyze print-flags dist man install uninstall clean help
.SECONDARY:
.DELETE_ON_ERROR:
