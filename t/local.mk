# SPDX-License-Identifier: MIT
# The tests. Every t/unit/NAME.c is a test t/unit/NAME.t of the build folder,
# every t/fuzz/NAME.c one that replays its corpus (and, with --enable-fuzz, a
# fuzzer), every t/drive/NAME.c a program that tests drive: a new file needs
# no line here.

unit_sources = $(filter-out %/ring_threads.c,$(wildcard $(srcdir)/t/unit/*.c))
unit_tests = $(unit_sources:$(srcdir)/%.c=%.t)
fuzz_sources = $(filter-out %/replay.c,$(wildcard $(srcdir)/t/fuzz/*.c))
fuzz_tests = $(fuzz_sources:$(srcdir)/%.c=%.t)
fuzz_programs = $(fuzz_tests:.t=.fuzz)
thread_tests = t/unit/ring_threads.t
drivers = $(patsubst $(srcdir)/%.c,%,$(wildcard $(srcdir)/t/drive/*.c))
test_programs = $(unit_tests) $(thread_tests) $(fuzz_tests) $(drivers)

thread_sources = src/plat/ring.c src/base/count.c src/base/fault.c \
	src/base/mem.c src/base/must.c src/base/text.c

TEST_COMPILE = @$(MKDIR_P) $(@D) && $(COMPILE) -I$(srcdir)/t/unit \
	-MMD -MP -MF $@.d -MT $@ $(HOUSE_LDFLAGS) $(LDFLAGS) -o $@

$(unit_tests): %.t: $(srcdir)/%.c libpartyline.a
	$(AM_V_CCLD)
	$(TEST_COMPILE) $< $(LDADD) $(LIBS)

$(drivers): %: $(srcdir)/%.c libpartyline.a
	$(AM_V_CCLD)
	$(TEST_COMPILE) $< $(LDADD) $(LIBS)

$(fuzz_tests): %.t: $(srcdir)/%.c $(srcdir)/t/fuzz/replay.c libpartyline.a
	$(AM_V_CCLD)
	$(TEST_COMPILE) -DFUZZ_NAME='"$(notdir $*)"' $< \
		$(srcdir)/t/fuzz/replay.c $(LDADD) $(LIBS)

$(fuzz_programs): %.fuzz: $(srcdir)/%.c libpartyline.a
	$(AM_V_CCLD)
	$(TEST_COMPILE) -fsanitize=fuzzer $< $(LDADD) $(LIBS)

# Under the thread sanitizer whatever the rest is built with, so without the
# library and its flags.
t/unit/ring_threads.t: %.t: $(srcdir)/%.c $(thread_sources:%=$(srcdir)/%)
	$(AM_V_CCLD)
	@$(MKDIR_P) $(@D) && $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) \
		-I$(srcdir)/t/unit -std=gnu11 -Wall -Wextra -O1 -g \
		-Wno-unused-parameter -fsanitize=thread -MMD -MP -MF $@.d \
		-MT $@ -o $@ $< $(thread_sources:%=$(srcdir)/%) -pthread

-include $(test_programs:=.d) $(fuzz_programs:=.d)

tests: all $(test_programs)
fuzzers: $(fuzz_programs)

check-local: $(test_programs)
	T_SOURCE=$(abs_srcdir) T_BUILD=$(abs_builddir) \
		$(PERL) $(srcdir)/t/run $(CHECK_ARGUMENTS)

.PHONY: tests fuzzers

CLEANFILES += $(test_programs) $(test_programs:=.d) $(fuzz_programs) \
	$(fuzz_programs:=.d)
# Not the folders themselves: what was built in them would come along.
EXTRA_DIST += t/README.md t/allowed-skips t/run t/lib t/bench t/browser t/npm \
	t/drive t/fuzz/corpus \
	$(wildcard $(srcdir)/t/*.t) $(wildcard $(srcdir)/t/unit/*.[ch]) \
	$(wildcard $(srcdir)/t/fuzz/*.c)
