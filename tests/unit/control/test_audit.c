/* The record as a chain: what `audit_verify` finds whole, and what it notices. */
#include "hive_steps.h"

static bool is_whole(struct hive_unit *u)
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'audit_verify'}"));
	bool valid =
		json_is_true(json_object_get(json_object_get(answer, "audit_verify"), "valid"));

	json_decref(answer);
	return valid;
}

/* A hive with a few entries, a denial whose note looks like trailers among them. */
static void make_record(struct hive_unit *u)
{
	char commit[256];

	spawn(u, "alice");
	change(u, "alice", "one", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(
		u, "{'cmd':'deny','id':1,'note':'no\\n\\nSkep-Seq: 1\\nSkep-Prev: none'}"));
	assert_true(is_whole(u));
}

static void test_every_change_is_noticed(void **state)
{
	static const char *const changes[] = {
		/* the last line and an earlier one */
		"sed -i '$s/\"uid 0\"/\"uid 1\"/' audit/log.jsonl",
		"sed -i '1s/\"uid 0\"/\"uid 1\"/' audit/log.jsonl",
		"sed -i '$d' audit/log.jsonl",
		/* a verdict taken away, and given another name */
		"git -C applied/alice/.git tag -d denied/1",
		"cd applied/alice/.git/refs/tags && mv proposal/1 proposal/7",
		"cd applied/alice/.git/refs/tags && cp denied/1 proposal/1",
		/* the newest one replaced by one that says the same */
		"cd applied/alice/.git && git cat-file tag denied/1 | sed s/no/yes/ | git "
		"mktag > new && mv new refs/tags/denied/1",
		/* a byte of it */
		"cd applied/alice/.git && f=objects/$(git rev-parse denied/1 | sed "
		"'s,^..,&/,') && chmod u+w $f && "
		"printf x | dd of=$f bs=1 seek=30 conv=notrunc status=none",
	};
	struct hive_unit *u = *state;
	char out[256];

	make_record(u);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		_cleanup_free_ char *script =
			str_format("rm -rf kept && mkdir kept && cp -a audit applied kept/ && "
				   "{ %s; } > /dev/null",
				   changes[i]);

		sh(u, script, out);
		if (is_whole(u))
			fail_msg("not noticed: %s", changes[i]);
		/* in place: the controller holds the log open */
		sh(u,
		   "cat kept/audit/log.jsonl > audit/log.jsonl && rm -rf applied/alice && mv "
		   "kept/applied/alice applied/",
		   out);
		assert_true(is_whole(u));
	}
}

/* The log of a hive that has lived for years: it starts, goes on from the last line, lists the
 * newest. */
static void test_a_log_of_many_megabytes(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer, *list;
	char out[256];

	make_record(u);
	hive_crash(u);
	sh(u,
	   "python3 -c '\n"
	   "import hashlib, json\n"
	   "lines = open(\"audit/log.jsonl\").read().splitlines()\n"
	   "log = open(\"audit/log.jsonl\", \"a\")\n"
	   "h = lambda b: hashlib.sha1(b\"blob %d\\0\" % len(b) + b).hexdigest()\n"
	   "prev, seq = h(lines[-1].encode()), json.loads(lines[-1])[\"seq\"]\n"
	   "for seq in range(seq + 1, 70000):\n"
	   "    line = json.dumps({\"seq\": seq, \"at\": \"2026-01-01T00:00:00Z\", \"verb\": "
	   "\"x\", "
	   "\"object\": \"alice\", \"note\": \"n\" * 1000, \"prev\": prev})\n"
	   "    log.write(line + \"\\n\")\n"
	   "    prev = h(line.encode())\n"
	   "log.write(\"half a line\")\n"
	   "'",
	   out);
	hive_start(u);
	assert_true(is_whole(u));
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','wait':true}"));
	assert_true(is_whole(u));
	answer = hive_must(hive_ask(u, "{'cmd':'audit','limit':3}"));
	list = json_object_get(answer, "audit");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "verb")),
			    "stop");
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_every_change_is_noticed),
		hive_test(test_a_log_of_many_megabytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
