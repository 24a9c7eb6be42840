# SPDX-License-Identifier: MIT
# The tests. Every t/unit/NAME.c is a test t/unit/NAME.t of the build folder,
# every t/fuzz/NAME.c one that replays its corpus (and, with --enable-fuzz, a
# fuzzer): a new file needs no line here.

unit_sources = $(wildcard $(srcdir)/t/unit/*.c)
unit_tests = $(unit_sources:$(srcdir)/%.c=%.t)
fuzz_sources = $(filter-out %/replay.c,$(wildcard $(srcdir)/t/fuzz/*.c))
fuzz_tests = $(fuzz_sources:$(srcdir)/%.c=%.t)
fuzz_programs = $(fuzz_tests:.t=.fuzz)
test_programs = $(unit_tests) $(fuzz_tests)

TEST_COMPILE = @$(MKDIR_P) $(@D) && $(COMPILE) -I$(srcdir)/t/unit \
	-MMD -MP -MF $@.d -MT $@ $(HOUSE_LDFLAGS) $(LDFLAGS) -o $@

$(unit_tests): %.t: $(srcdir)/%.c libpartyline.a
	$(AM_V_CCLD)
	$(TEST_COMPILE) $< $(LDADD) $(LIBS)

$(fuzz_tests): %.t: $(srcdir)/%.c $(srcdir)/t/fuzz/replay.c libpartyline.a
	$(AM_V_CCLD)
	$(TEST_COMPILE) -DFUZZ_NAME='"$(notdir $*)"' $< \
		$(srcdir)/t/fuzz/replay.c $(LDADD) $(LIBS)

$(fuzz_programs): %.fuzz: $(srcdir)/%.c libpartyline.a
	$(AM_V_CCLD)
	$(TEST_COMPILE) -fsanitize=fuzzer $< $(LDADD) $(LIBS)

-include $(test_programs:=.d) $(fuzz_programs:=.d)

tests: all $(test_programs)
fuzzers: $(fuzz_programs)

check-local: $(test_programs)
	T_SOURCE=$(abs_srcdir) T_BUILD=$(abs_builddir) \
		$(PERL) $(srcdir)/t/run $(CHECK_ARGUMENTS)

.PHONY: tests fuzzers

CLEANFILES += $(test_programs) $(test_programs:=.d) $(fuzz_programs) \
	$(fuzz_programs:=.d)
EXTRA_DIST += t/README.md t/run t/lib t/bench t/fuzz t/unit \
	$(wildcard $(srcdir)/t/*.t) $(wildcard $(srcdir)/t/allowed-*)
