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
BUILD ?= build
NSPAWN ?= /usr/bin/systemd-nspawn

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wundef -Wnull-dereference
HARDENING ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
ifneq ($(WERROR),)
WARNINGS += -Werror
endif
ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
HARDENING :=
endif
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$(1)' '$(2)')

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Isrc $(WARNINGS) $(HARDENING) -fPIE $(CFLAGS) \
	-DSKEP_VERSION='"$(VERSION)"' -DSKEP_NSPAWN='"$(NSPAWN)"' -DSKEP_DATADIR='"$(DATADIR)"' \
	$(shell $(PKG_CONFIG) --cflags libgit2 libsystemd jansson libevent_core 2>/dev/null)
ALL_LDFLAGS = -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LDFLAGS)

LAYERS := base model wire git nix host control
PROGRAMS := skepd skep-exec skep-export skep-build skep

LIBS_skepd = libgit2 libsystemd jansson libevent_core
LIBS_skep-exec = libsystemd jansson libevent_core
LIBS_skep-export = libgit2 jansson
LIBS_skep-build = libgit2 jansson
USES_skepd = control host nix git wire model base
USES_skep-exec = host model base
USES_skep-export = git base
USES_skep-build = git model base
USES_skep = wire model base

sources = $(sort $(wildcard src/$(1)/*.c))
objects = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(call sources,$(1)))
archives = $(foreach l,$(1),$(if $(call sources,$(l)),$(BUILD)/lib$(l).a))

all: $(foreach p,$(PROGRAMS),$(if $(call sources,$(p)),$(BUILD)/$(p)))

$(BUILD)/obj/%.o: src/%.c Makefile
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
$(BUILD)/$(1): $(call objects,$(1)) $(call archives,$(USES_$(1)))
	$(call say,LINK,$$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $$(shell $(PKG_CONFIG) --libs $$(LIBS_$(1)))
endef
$(foreach p,$(filter-out skep,$(PROGRAMS)),$(eval $(call program_rule,$(p))))

# The client runs on any base image, so it needs nothing of it: static, and only jansson.
$(BUILD)/skep: $(call objects,skep) $(call archives,$(USES_skep))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -static -o $@ $(filter %.o,$^) $(filter %.a,$^) -ljansson

# Unit tests: one program per file, linked with every layer its own layer may use.
TEST_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c))
TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(TEST_SOURCES))
TEST_LIBS = $(shell $(PKG_CONFIG) --libs cmocka libgit2 libsystemd jansson libevent_core)

$(BUILD)/unit/%: tests/unit/%.c $(call archives,control host nix git wire model base) Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(call archives,control host nix git wire model base) $(TEST_LIBS)

check-unit: $(TESTS) all
	$(Q)for t in $(TESTS); do echo "# $$t"; CMOCKA_MESSAGE_OUTPUT=TAP $$t || exit 1; done

clean:
	$(Q)rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all check-unit clean
.SECONDARY:
