/* SPDX-License-Identifier: MIT */
/*
 * Users: whom a process may run as, and becoming him without a way back.
 */
#include "plat/proc.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char reason[256];

static bool refuse(const char **why_out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool
refuse(const char **why_out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	*why_out = reason;
	return (false);
}

static void
user_fill(struct proc_user *user, const struct passwd *entry)
{
	snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
}

bool
proc_user_named(const char *name, struct proc_user *user_out)
{
	const struct passwd *entry = getpwnam(name);

	if (entry == NULL)
		return (false);
	user_fill(user_out, entry);
	return (true);
}

void
proc_user_of(uid_t uid, gid_t gid, struct proc_user *user_out)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry != NULL) {
		user_fill(user_out, entry);
		return;
	}
	snprintf(user_out->name, sizeof user_out->name, "%u", (unsigned)uid);
	user_out->uid = uid;
	user_out->gid = gid;
}

bool
proc_user_resolve(const char *wish, struct proc_user *user_out,
    const char **why_out)
{
	if (wish[0] != '\0') {
		if (proc_user_named(wish, user_out))
			return (true);
		return (refuse(why_out, "there is no user %s here; add it "
		    "(useradd --system %s), or name another", wish, wish));
	}
	if (proc_user_named("partyline", user_out) ||
	    proc_user_named("nobody", user_out))
		return (true);
	return (refuse(why_out, "there is neither a user partyline nor "
	    "nobody here; set the option user"));
}

bool
proc_may_become(const char *user, const char **why_out)
{
	struct proc_user found;

	if (!proc_user_resolve(user, &found, why_out))
		return (false);
	if (found.uid == 0 || found.gid == 0)
		return (refuse(why_out, "%s has root's rights, with which "
		    "nothing here works; name another", found.name));
	return (true);
}

bool
proc_become_user(const struct proc_user *user, const char **why_out)
{
	uid_t real, effective, saved;

	if (user->uid == 0 || user->gid == 0)
		return (refuse(why_out, "%s has root's rights", user->name));
	if (initgroups(user->name, user->gid) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return (refuse(why_out, "user %s: %s", user->name,
		    strerror(errno)));
	if (getresuid(&real, &effective, &saved) != 0 || real != user->uid ||
	    effective != user->uid || saved != user->uid ||
	    setuid(0) == 0 || setgid(0) == 0)
		return (refuse(why_out, "user %s: root's rights came back",
		    user->name));
	return (true);
}

bool
proc_become(const char *user, const char **why_out)
{
	struct proc_user found;

	return (proc_user_resolve(user, &found, why_out) &&
	    proc_become_user(&found, why_out));
}
