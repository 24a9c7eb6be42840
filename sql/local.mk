# SPDX-License-Identifier: MIT
# Migrations, functions and seeds: installed where `partyline migrate` looks
# for them. A new file needs no line here.

sqlmigrationdir = $(pkgdatadir)/sql/migration
dist_sqlmigration_DATA = $(wildcard $(srcdir)/sql/migration/*.sql)
sqlapidir = $(pkgdatadir)/sql/api
dist_sqlapi_DATA = $(wildcard $(srcdir)/sql/api/*.sql)
sqlseeddir = $(pkgdatadir)/sql/seed
dist_sqlseed_DATA = $(wildcard $(srcdir)/sql/seed/*.csv)
EXTRA_DIST += t/sql
