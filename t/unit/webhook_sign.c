/* SPDX-License-Identifier: MIT */
/*
 * jobs/webhook_sign: known answers. Those of Standard Webhooks are its
 * published example; the others were made by Perl's Digest::SHA.
 */
#include "jobs/webhook_sign.h"

#include "tap.h"

static bool
signs(text secret, text id, int64_t stamp_s, text body, const char *wanted)
{
	struct buf out;
	bool is_same;

	buf_init(&out, BUF_NO_LIMIT);
	webhook_sign(&secret, 1, id, stamp_s, body, &out);
	is_same = is_text(buf_text(&out), text_of(wanted));
	buf_fini(&out);
	return (is_same);
}

static bool
signs_one(const char *secret, const char *wanted)
{
	return (signs(text_of(secret), TEXT("msg_1"), 1700000000, TEXT("{}"),
	    wanted));
}

static void
test_standard(void)
{
	test("the example of Standard Webhooks");
	signs(TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
	    TEXT("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
	    TEXT("{\"test\": 2432232314}"),
	    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");

	test("a secret that is text signs as text");
	signs_one("plain secret",
	    "v1,/flFcbNgBSzf0XQueaRxljo0UdwlymNnKfh0KiZ7mK4=");
	signs(TEXT("gr\303\274n"), TEXT("msg_1"), 1700000000,
	    TEXT("{\"a\":\"\303\251\"}"),
	    "v1,PCiTD7fqiWeA6Zh6kxPHpgr7/WkBeA30Xxo2OkGQDQs=");

	test("padding may be there or not, and bytes may be 0");
	signs_one("whsec_AAECAw==",
	    "v1,3QMW4TnLtKLB37AAGlCIHETi/t/Hi5B/nOUtLdYEW4Y=");
	signs_one("whsec_AAECAw",
	    "v1,3QMW4TnLtKLB37AAGlCIHETi/t/Hi5B/nOUtLdYEW4Y=");

	test("what is no base64 behind whsec_ counts as text");
	signs_one("whsec_not base64!",
	    "v1,zwbjBrnSLot/LeR7V+PYwCjC+g3XMbiIvHAKglYn178=");
}

static void
test_rotation(void)
{
	const text secrets[] = { TEXT("plain secret"),
	    TEXT("whsec_AAECAw==") };
	struct buf out;

	test("two valid secrets make two signatures, the newest first");
	buf_init(&out, BUF_NO_LIMIT);
	webhook_sign(secrets, 2, TEXT("msg_1"), 1700000000, TEXT("{}"),
	    &out);
	is_text(buf_text(&out),
	    "v1,/flFcbNgBSzf0XQueaRxljo0UdwlymNnKfh0KiZ7mK4= "
	    "v1,3QMW4TnLtKLB37AAGlCIHETi/t/Hi5B/nOUtLdYEW4Y=");
	buf_fini(&out);
}

static void
test_legacy(void)
{
	char out[WEBHOOK_LEGACY_SIZE];

	test("the legacy signature takes the secret's text as it is");
	webhook_sign_legacy(TEXT("plain secret"), TEXT("{}"), out);
	is_text(out, "sha256=10589cf757694ca4996237788983dc6073c50061cbcae8a7"
	    "55043eeeba984ecd");
	webhook_sign_legacy(TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
	    TEXT("{\"test\": 2432232314}"), out);
	is_text(out, "sha256=80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d"
	    "717ec42c38a5c94c");
}

int
main(void)
{
	test_standard();
	test_rotation();
	test_legacy();
	return (done());
}
