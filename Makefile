# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make                build everything under build/
# make demo           the main job, live, in its own network namespaces (root)
# make check          every test, with one guest: Linux 6.1 in QEMU (root)
# make check-quick    the tests that need neither root nor the network
# make check-vm       every kernel and NIC of the guest lab; more than an hour (root)
# make driver         the patched e1000e for the guest lab's 6.12 and newest kernel (root):
#                     build/driver/e1000e.ko, build/driver-7.x/e1000e.ko
# make soak           ten minutes of mixed traffic with flaps, reloads and kills, then of random tests (root)
# make fuzz           each fuzz target for FUZZ_SECONDS (600), two side by side
# make bench          benchmarks, beside their peers (root); bench-quick: a few, in three minutes
# make install        into $(DESTDIR)$(PREFIX)
# make deb            Debian packages, into build/deb
# make lint           formatters and static analysis
# make golden-update  take the golden tests' present output as expected
#
# demo, check, check-vm, driver, fuzz, bench and deb install the Debian packages they miss first.

PREFIX ?= /usr/local
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/site-functions
BUILD := build
CLANG ?= $(firstword $(foreach c,clang clang-19 clang-16 clang-14,$(shell command -v $(c) 2>/dev/null)) clang)
PKG_CONFIG ?= pkg-config
ARCH_INCLUDE := $(shell gcc -print-multiarch 2>/dev/null)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wnull-dereference
CFLAGS ?= -O2 -g
CPPFLAGS += -Iinclude -I. -D_GNU_SOURCE -DSL_BUILD='"$(BUILD)"'
ALL_CFLAGS := -std=gnu11 $(WARN) $(CFLAGS)
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror \
	-Iinclude -I. -I/usr/include/$(ARCH_INCLUDE)
LIBS := -lxdp -lbpf -ljansson -lcap-ng -lpcap -lmnl -lseccomp -lm
FWD_LIBS := $(LIBS) -lsystemd

LIB_SRC := $(wildcard lib/*.c)
CLI_SRC := $(wildcard cli/*.c)
FWD_SRC := $(wildcard afxdp-app/*.c)
EXPORTER_SRC := $(wildcard exporter/*.c)
GEN_SRC := $(wildcard bench/gen/*.c)
MIX_SRC := $(wildcard bench/classify/*.c)
LIMIT_SRC := $(wildcard bench/limit/*.c)
DRIVER_SRC := $(wildcard bench/driver/*.c)
FLOOR_SRC := $(wildcard bench/floor/*.c)
BPF_SRC := $(wildcard xdp/*.bpf.c bench/gen/*.bpf.c bench/classify/*.bpf.c \
	bench/limit/*.bpf.c bench/driver/*.bpf.c bench/floor/*.bpf.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)

BPF_OBJ := $(addprefix $(BUILD)/,$(notdir $(BPF_SRC:.c=.o)))
STAGE_OBJ := $(patsubst config/stage/%.c,$(BUILD)/stage/%.so,$(wildcard config/stage/*.c))
EXT_OBJ := $(patsubst config/ext/%.c,$(BUILD)/ext/%.o,$(wildcard config/ext/*.bpf.c))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %.bpf.c,$(1)))

PROGRAMS := $(if $(CLI_SRC),$(BUILD)/sluice) $(if $(FWD_SRC),$(BUILD)/sluice-fwd) \
	$(if $(EXPORTER_SRC),$(BUILD)/sluice-exporter) $(if $(GEN_SRC),$(BUILD)/sluice-gen)
BENCH := $(if $(MIX_SRC),$(BUILD)/classify-run) \
	$(if $(LIMIT_SRC),$(BUILD)/limit-run) $(if $(DRIVER_SRC),$(BUILD)/driver-run) \
	$(if $(FLOOR_SRC),$(BUILD)/floor-run)

.PHONY: all
all: $(BPF_OBJ) $(EXT_OBJ) $(STAGE_OBJ) $(PROGRAMS) $(BENCH)

$(BUILD)/%.bpf.o: xdp/%.bpf.c $(wildcard xdp/*.h include/sluice/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/ext/%.bpf.o: config/ext/%.bpf.c xdp/extension.h $(wildcard include/sluice/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -DSLUICE_TREE -c $< -o $@

$(BUILD)/stage/%.so: config/stage/%.c include/sluice/stage.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fPIC -shared $(LDFLAGS) -o $@ $<

$(BUILD)/%.bpf.o: bench/gen/%.bpf.c $(wildcard bench/gen/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.bpf.o: bench/limit/%.bpf.c $(wildcard bench/limit/*.h xdp/*.h include/sluice/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.bpf.o: bench/driver/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.bpf.o: bench/floor/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.bpf.o: bench/classify/%.bpf.c $(wildcard bench/classify/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# Objects that embed a BPF object with .incbin.
$(BUILD)/obj/lib/object.o: $(BUILD)/sluice.bpf.o
$(BUILD)/obj/lib/trace_object.o: $(BUILD)/trace.bpf.o
$(BUILD)/obj/lib/tap_object.o: $(BUILD)/tap.bpf.o
$(BUILD)/obj/bench/gen/object.o: $(BUILD)/gen.bpf.o
# And the page.
$(BUILD)/obj/exporter/page.o: $(wildcard exporter/*.html exporter/*.css exporter/*.js exporter/*.svg)
$(patsubst %,$(BUILD)/%/afxdp-app/witness.o,obj san tsan fuzz/obj): $(BUILD)/witness.bpf.o

$(BUILD)/libsluice.a: $(call obj,$(LIB_SRC))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/sluice: $(call obj,$(CLI_SRC)) $(BUILD)/libsluice.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lncursesw -ltinfo

$(BUILD)/sluice-fwd: $(call obj,$(FWD_SRC)) $(BUILD)/libsluice.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(FWD_LIBS)

$(BUILD)/sluice-exporter: $(call obj,$(EXPORTER_SRC)) $(BUILD)/libsluice.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lmicrohttpd

$(BUILD)/sluice-gen: $(call obj,$(GEN_SRC)) $(BUILD)/libsluice.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(LIBS)

$(BUILD)/classify-run: $(call obj,$(MIX_SRC))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lbpf

$(BUILD)/limit-run: $(call obj,$(LIMIT_SRC)) $(BUILD)/libsluice.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lbpf

$(BUILD)/driver-run: $(call obj,$(DRIVER_SRC))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lxdp -lbpf

$(BUILD)/floor-run: $(call obj,$(FLOOR_SRC))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lxdp -lbpf

# Unit tests: the library again, with ASan and UBSan, and cmocka.
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DSLUICE_DEBUG
sobj = $(patsubst %.c,$(BUILD)/san/%.o,$(filter-out %.bpf.c,$(1)))

$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) -O1 -g $(SAN) -MMD -MP -c $< -o $@

$(BUILD)/san/lib/object.o: $(BUILD)/sluice.bpf.o
$(BUILD)/san/lib/trace_object.o: $(BUILD)/trace.bpf.o
$(BUILD)/san/lib/tap_object.o: $(BUILD)/tap.bpf.o

$(BUILD)/tests/unit/%: $(BUILD)/san/tests/unit/%.o $(call sobj,$(LIB_SRC)) $(call sobj,$(filter-out afxdp-app/main.c,$(FWD_SRC)))
	@mkdir -p $(@D)
	$(CC) $(SAN) -pthread -o $@ $^ -lcmocka $(FWD_LIBS)

# What the command shows, apart from its terminal.
$(BUILD)/tests/unit/test_top: $(patsubst %,$(BUILD)/san/cli/top_%.o,model state)

# The linear search is the fuzzer's.
$(BUILD)/tests/unit/test_compile: $(BUILD)/san/tests/fuzz/linear.o
$(BUILD)/tests/unit/test_config_random: $(BUILD)/san/tests/unit/same_config.o

# What of the exporter is pure.
EXPORTER_PURE := $(addprefix exporter/,exposition.c metrics_forwarder.c ports.c request.c)
$(BUILD)/tests/unit/test_metrics: $(call sobj,$(EXPORTER_PURE))

# What runs BPF instructions without a kernel.
$(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_specialise*.c)): \
	$(patsubst %,$(BUILD)/san/tests/unit/bpf_%.o,example machine random rules)

# The kernel behind the forwarder's rings.
$(addprefix $(BUILD)/tests/unit/test_fwd_,port end buffers handover): $(BUILD)/san/tests/unit/mock_kernel.o

# The rings between two threads: without ASan, which TSan does not stand beside. It does not
# know fences; the one user, the worker's published ledger, is all atomic words.
TSAN := -fsanitize=thread -fno-omit-frame-pointer -DSLUICE_DEBUG -Wno-tsan
$(BUILD)/tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) -O1 -g $(TSAN) -MMD -MP -c $< -o $@

$(BUILD)/tsan/libforwarder.a: $(patsubst %.c,$(BUILD)/tsan/%.o,$(filter-out afxdp-app/main.c,$(FWD_SRC)))
	@rm -f $@
	$(AR) rcs $@ $^

# The threads of stages, once more with this.
STAGE_TSAN := $(addprefix $(BUILD)/tests/unit/test_stage_,spool_tsan steps_tsan)
$(STAGE_TSAN): $(BUILD)/tests/unit/%_tsan: $(BUILD)/tsan/tests/unit/%.o \
		$(BUILD)/tsan/libforwarder.a $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(CC) $(TSAN) -pthread -o $@ $^ -lcmocka $(LIBS)

$(BUILD)/tests/unit/test_fwd_tsan: $(patsubst %,$(BUILD)/tsan/tests/unit/%.o,test_fwd_tsan mock_kernel) \
		$(BUILD)/tsan/libforwarder.a $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(CC) $(TSAN) -pthread -o $@ $^ $(LIBS)

.PHONY: unit
unit: $(UNIT_SRC:%.c=$(BUILD)/%) $(STAGE_TSAN)

# Fuzz targets: the library once more, for libFuzzer. Comparisons are not traced
# in it: that costs the compiler's target two thirds of its speed. $(WARN) is
# left to the other builds of these files.
FUZZ := $(addprefix $(BUILD)/fuzz/,config packet compile ring request)
FUZZ_SECONDS ?= 600
FUZZ_CFLAGS := -std=gnu11 -O1 -g $(SAN) -fsanitize=fuzzer-no-link
fobj = $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(1))

$(BUILD)/fuzz/obj/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fno-sanitize-coverage=trace-cmp -MMD -MP -c $< -o $@

$(BUILD)/fuzz/obj/afxdp-app/%.o: afxdp-app/%.c
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/obj/exporter/%.o: exporter/%.c
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/obj/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(WARN) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/libsluice.a: $(call fobj,$(filter-out lib/object.c lib/tap_object.c lib/trace_object.c,$(LIB_SRC)))
	@rm -f $@
	$(AR) rcs $@ $^

# An archive: the ring core and what it calls, not all that the forwarder needs to start.
$(BUILD)/fuzz/libforwarder.a: $(call fobj,$(filter-out afxdp-app/main.c,$(FWD_SRC)))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/fuzz/ring: $(call fobj,tests/unit/mock_kernel.c) $(BUILD)/fuzz/libforwarder.a
$(BUILD)/fuzz/request: $(call fobj,$(addprefix exporter/,exposition.c request.c))
$(BUILD)/fuzz/packet: $(call fobj,tests/fuzz/reference.c)
$(BUILD)/fuzz/compile: $(call fobj,$(addprefix tests/fuzz/,linear.c packets.c rules.c))
$(FUZZ): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/libsluice.a
	$(CLANG) $(SAN) -fsanitize=fuzzer -pthread -o $@ $(filter %.o,$^) \
		$(filter %/libforwarder.a,$^) $(filter %/libsluice.a,$^) $(LIBS)

.PHONY: fuzz-targets
fuzz-targets: $(FUZZ)

# Packages first, then a make of its own, which sees the compilers they brought.
PACKAGES := config/debian/ensure-packages

.PHONY: check check-quick check-vm driver soak demo bench bench-quick fuzz
check:
	$(PACKAGES) build demo test vm
	+$(MAKE) all unit fuzz-targets
	tests/run

# The tools once more by each compiler that verifiers see the objects of.
check-vm:
	$(PACKAGES) build demo test package vm matrix
	+$(MAKE) all
	+for c in clang-14 clang-19; do \
		command -v $$c >/dev/null || continue; \
		$(MAKE) CLANG=$$c BUILD=$(BUILD)/$$c $(BUILD)/$$c/sluice || exit; \
	done
	+$(MAKE) driver deb
	tests/run matrix deb dkms

driver:
	$(PACKAGES) build vm driver
	SLUICE_BUILD=$(BUILD) driver-patches/build.sh e1000e/6.12 $(BUILD)/driver
	SLUICE_BUILD=$(BUILD) driver-patches/build.sh e1000e/7.x $(BUILD)/driver-7.x

soak:
	$(PACKAGES) build demo test
	+$(MAKE) all unit
	tests/soak

fuzz:
	$(PACKAGES) build demo test
	+$(MAKE) fuzz-targets
	SLUICE_BUILD=$(BUILD) tests/fuzz/run --seconds $(FUZZ_SECONDS)

check-quick: all unit
	tests/run unit golden bench lint

demo:
	$(PACKAGES) build demo
	+$(MAKE) all
	/usr/bin/python3 tests/demo.py

bench:
	$(PACKAGES) build demo bench
	+$(MAKE) all
	bench/run

bench-quick:
	$(PACKAGES) build demo bench
	+$(MAKE) all
	bench/run --quick

.PHONY: lint golden-update
lint:
	tests/lint/run

golden-update: all
	tests/golden/run --update

.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/sluice \
		$(addprefix $(DESTDIR)$(PREFIX)/share/man/man,5 7 8) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(ZSH_COMPLETIONS) \
		$(DESTDIR)$(PREFIX)/share/doc/sluice/examples \
		$(DESTDIR)$(PREFIX)/include/sluice $(DESTDIR)/etc/sluice \
		$(DESTDIR)$(PREFIX)/share/doc/sluice/ext \
		$(DESTDIR)$(PREFIX)/share/doc/sluice/stage
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(BUILD)/sluice.bpf.o $(DESTDIR)$(PREFIX)/lib/sluice
	install -m 644 include/sluice/*.h xdp/extension.h $(DESTDIR)$(PREFIX)/include/sluice
	install -m 644 config/ext/*.bpf.c $(DESTDIR)$(PREFIX)/share/doc/sluice/ext
	install -m 644 config/stage/*.c $(DESTDIR)$(PREFIX)/share/doc/sluice/stage
	install -m 644 README.md $(filter-out docs/README.md,$(wildcard docs/*.md)) $(DESTDIR)$(PREFIX)/share/doc/sluice
	install -m 644 docs/README.md $(DESTDIR)$(PREFIX)/share/doc/sluice/index.md
	install -m 644 config/prometheus/sluice.rules.yml config/grafana/sluice.json $(DESTDIR)$(PREFIX)/share/doc/sluice/examples
	install -m 644 config/examples/* $(DESTDIR)$(PREFIX)/share/doc/sluice/examples
	for s in 5 7 8; do install -m 644 docs/man/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s || exit; done
	install -m 644 config/completion/sluice.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluice
	install -m 644 config/completion/_sluice $(DESTDIR)$(ZSH_COMPLETIONS)
	[ -e $(DESTDIR)/etc/sluice/sluice.conf ] || \
		install -m 644 config/sluice.conf $(DESTDIR)/etc/sluice

# Not this make's flags: debhelper calls make itself, for its own copy.
.PHONY: deb
deb:
	$(PACKAGES) build package
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/sluice
	tar -c --exclude=./.git --exclude=./build --exclude=./$(BUILD) . | tar -x -C $(BUILD)/deb/sluice
	cp -a config/debian $(BUILD)/deb/sluice/debian
	cp config/systemd/sluice.service 'config/systemd/sluice-fwd@.service' $(BUILD)/deb/sluice/debian
	for u in config/systemd/sluice-export*; do cp $$u $(BUILD)/deb/sluice/debian/sluice.$${u##*/} || exit; done
	cd $(BUILD)/deb/sluice && env -u MAKEFLAGS -u MAKEOVERRIDES -u MAKELEVEL dpkg-buildpackage --build=binary --no-sign
	rm -rf $(BUILD)/deb/sluice

.PHONY: clean
clean:
	rm -rf $(BUILD)

# Not below vm: unpacked packages, whose folders may have such names.
-include $(shell find $(BUILD) -path $(BUILD)/vm -prune -o -name '*.d' -print 2>/dev/null)
