# SPDX-License-Identifier: MIT
# SPDX-License-Identifier: MIT
# The program. Everything but main() is in one library, which the program,
# the unit tests and the fuzz targets link.

noinst_LIBRARIES += libpartyline.a
libpartyline_a_SOURCES =

include $(srcdir)/src/files.mk

# The schemas become a C file of the build folder.
schemas = $(wildcard $(srcdir)/src/tbl/schema/*.json)
nodist_libpartyline_a_SOURCES = src/role/schemas.c
CLEANFILES += src/role/schemas.c
EXTRA_DIST += src/tbl/make-schemas $(schemas)

# The folder too: a schema that is gone must leave the program.
src/role/schemas.c: $(srcdir)/src/tbl/make-schemas $(srcdir)/src/tbl/schema \
		$(schemas)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(srcdir)/src/tbl/make-schemas \
		$(srcdir)/src/tbl/schema >$@.new && mv $@.new $@

bin_PROGRAMS += partyline
partyline_SOURCES = src/role/main.c
