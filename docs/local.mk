# SPDX-License-Identifier: MIT
# The guides, and what is made from the tables of the program: the reference,
# the sample configuration and the man pages. They are committed; `make docs`
# writes them anew, t/00-docs.t fails when they are stale.

dist_man_MANS += docs/partyline.8 docs/partyline.conf.5
dist_doc_DATA += conf/partyline.conf
dist_doc_DATA += conf/nginx.conf conf/haproxy.cfg
EXTRA_DIST += docs/make-reference docs/reference docs/decision \
	$(wildcard $(srcdir)/docs/*.md)

docs: partyline$(EXEEXT)
	@$(PERL) $(srcdir)/docs/make-reference ./partyline$(EXEEXT) $(srcdir)

.PHONY: docs
