/* skep-exec's table of verbs, walked: what each takes, and that it takes nothing else. */
#include "unit.h"

#include "skep-exec/table.h"

#include <errno.h>
#include <string.h>

#define OID "1234567890123456789012345678901234567890"

/* Something the argument takes. */
static json_t *sample(const struct argument *a)
{
	json_t *list;

	switch (a->type) {
	case ARG_AGENT:
		return json_string("alice");
	case ARG_UID_BASE:
		return json_integer(1310720);
	case ARG_OID:
		return json_string(OID);
	case ARG_INT:
		return json_integer(a->min);
	case ARG_BOOL:
		return json_true();
	case ARG_TEXT:
	case ARG_LINES:
		return json_string("x");
	case ARG_OBJECT:
		return json_object();
	case ARG_WORDS:
	case ARG_LIST:
		list = json_array();
		for (int64_t i = 0; i < a->min; i++)
			json_array_append_new(list, json_string("x"));
		return list;
	}
	return NULL;
}

/* What no argument of its type takes, one after the other; NULL: there is no more. */
static json_t *bad_sample(const struct argument *a, int n)
{
	static const char *const names[] = {"",   "..", "A",      "a/b",
					    "-a", "a-", "h1nd\n", "../../etc"};
	static const char *const ids[] = {"", "HEAD", OID "0", "refs/heads/main"};

	if (n == 0) /* of another type than any of them */
		return a->type == ARG_INT || a->type == ARG_UID_BASE ? json_string("1")
								     : json_real(1.5);
	n--;
	switch (a->type) {
	case ARG_AGENT:
		return n < 8 ? json_string(names[n]) : NULL;
	case ARG_OID:
		return n < 4 ? json_string(ids[n]) : NULL;
	case ARG_UID_BASE:
		return n == 0   ? json_integer(0)
		       : n == 1 ? json_integer(65536)
		       : n == 2 ? json_integer(1310721)
		       : n == 3 ? json_integer(-1)
		       : n == 4 ? json_integer(INT64_C(4294967296))
				: NULL;
	case ARG_INT:
		return n == 0                         ? json_integer(a->min - 1)
		       : n == 1 && a->max < INT64_MAX ? json_integer(a->max + 1)
						      : NULL;
	case ARG_BOOL:
		return n == 0 ? json_integer(1) : n == 1 ? json_string("true") : NULL;
	case ARG_TEXT:
		return n == 0 ? json_string("a\nb") : NULL;
	case ARG_WORDS:
		return n == 0 ? json_pack("[i]", 1) : n == 1 ? json_string("x") : NULL;
	case ARG_LIST:
	case ARG_OBJECT:
		return n == 0 ? json_string("x") : NULL;
	case ARG_LINES:
		return n == 0 ? json_array() : NULL;
	}
	return NULL;
}

/* Every argument it takes, and the number of them that must be there. */
static json_t *whole(const struct verb *verb)
{
	json_t *object = json_object();

	for (const struct argument *a = verb->arguments; a && a->key; a++)
		json_object_set_new(object, a->key, sample(a));
	return object;
}

static void assert_refused(const struct verb *verb, const json_t *arguments, size_t n_fds,
			   const char *part)
{
	struct error err = {};

	if (table_check(verb, arguments, n_fds, &err) != -EINVAL || !strstr(err.text, part) ||
	    !strstr(err.text, verb->name)) {
		char *text = json_dumps(arguments, 0);

		fail_msg("%s %s with %zu descriptors: '%s' without '%s'", verb->name, text,
			 n_fds, err.text, part);
	}
}

static void assert_taken(const struct verb *verb, const json_t *arguments)
{
	struct error err = {};

	if (table_check(verb, arguments, verb->n_fds, &err) != 0)
		fail_msg("%s", err.text);
}

static void test_every_argument(void **state)
{
	size_t count;
	const struct verb *verbs = table_all(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct verb *verb = &verbs[i];
		json_t *arguments = whole(verb), *bad;

		if (verb->flags & VERB_SPEC) {
			assert_null(verb->arguments);
			json_decref(arguments);
			continue;
		}
		assert_taken(verb, arguments);
		for (const struct argument *a = verb->arguments; a->key; a++) {
			for (int n = 0; (bad = bad_sample(a, n)); n++) {
				json_object_set_new(arguments, a->key, bad);
				assert_refused(verb, arguments, verb->n_fds, a->key);
			}
			json_object_del(arguments, a->key);
			if (a->required)
				assert_refused(verb, arguments, verb->n_fds, a->key);
			else
				assert_taken(verb, arguments);
			json_object_set_new(arguments, a->key, sample(a));
		}
		json_decref(arguments);
	}
}

/* Nothing it does not name, and as many descriptors as it says. */
static void test_nothing_else(void **state)
{
	static const char *const others[] = {"path",        "command", "uid",
					     "system_path", "Agent",   ""};
	size_t count;
	const struct verb *verbs = table_all(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct verb *verb = &verbs[i];
		json_t *arguments = whole(verb);

		if (!(verb->flags & VERB_SPEC)) {
			for (size_t n = 0; n < 4; n++)
				if (n != verb->n_fds)
					assert_refused(verb, arguments, n, "descriptors");
		}
		for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
			json_object_set_new(arguments, others[k], json_string("x"));
			assert_refused(verb, arguments, verb->n_fds,
				       verb->flags & VERB_SPEC ? "'" : others[k]);
			json_object_del(arguments, others[k]);
		}
		json_decref(arguments);
	}
}

static void test_what_the_table_says(void **state)
{
	size_t count;
	const struct verb *verbs = table_all(&count);

	(void)state;
	assert_null(table_find(""));
	assert_null(table_find("run"));
	assert_null(table_find("Start"));
	for (size_t i = 0; i < count; i++) {
		const struct verb *verb = &verbs[i];

		/* no name twice; what skepd may not say is the daemon's one verb of its own */
		assert_ptr_equal(table_find(verb->name), verb);
		assert_int_equal((verb->flags & VERB_INTERNAL) != 0,
				 strcmp(verb->name, "settle") == 0);
		/* what the daemon itself does is about another request and starts nothing */
		assert_false(verb->handler && verb->open);
		if (!verb->handler && !verb->open)
			assert_true(strcmp(verb->name, "signal") == 0 ||
				    strcmp(verb->name, "cancel") == 0);
		/* what ends by itself has a deadline, what does not can be stopped */
		else
			assert_true((verb->deadline_ms > 0) !=
				    ((verb->flags & VERB_STOPPABLE) != 0));
		assert_true((verb->flags & VERB_SPEC) || verb->arguments);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_argument),
		cmocka_unit_test(test_nothing_else),
		cmocka_unit_test(test_what_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
