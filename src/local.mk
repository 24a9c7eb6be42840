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

# So do the files of the page of both documents.
web_docs = $(wildcard $(srcdir)/src/web/docs/*.*)
nodist_libpartyline_a_SOURCES += src/role/docs_files.c
CLEANFILES += src/role/docs_files.c
EXTRA_DIST += src/web/make-web $(web_docs)

src/role/docs_files.c: $(srcdir)/src/web/make-web $(web_docs)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(srcdir)/src/web/make-web \
		$(srcdir)/src/web/docs >$@.new && mv $@.new $@

# And those of clients.
web_clients = $(wildcard $(srcdir)/src/web/clients/*.*)
nodist_libpartyline_a_SOURCES += src/role/client_files.c
CLEANFILES += src/role/client_files.c
EXTRA_DIST += src/web/make-clients $(web_clients)

src/role/client_files.c: $(srcdir)/src/web/make-clients \
		$(srcdir)/src/web/clients $(web_clients)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) \
		$(srcdir)/src/web/make-clients $(srcdir)/src/web/clients \
		>$@.new && mv $@.new $@

bin_PROGRAMS += partyline
partyline_SOURCES = src/role/main.c
