#include "wire/answer.h"

#include "base/json.h"

json_t *answer_ok(void)
{
	json_t *a = json_object();

	json_object_set_new(a, "version", json_integer(WIRE_VERSION));
	json_object_set_new(a, "ok", json_true());
	return a;
}

json_t *answer_with(const char *key, json_t *value)
{
	json_t *a = answer_ok();

	json_object_set_new(a, key, value);
	return a;
}

json_t *answer_error(const struct error *err)
{
	json_t *a = json_object();

	json_object_set_new(a, "version", json_integer(WIRE_VERSION));
	json_object_set_new(a, "ok", json_false());
	json_object_set_new(a, "error", json_string_nocheck(error_text(err)));
	json_object_set_new(a, "code", json_string(error_code(err)));
	if (err->hint[0])
		json_object_set_new(a, "hint", json_string_nocheck(err->hint));
	if (error_passes(err))
		json_object_set_new(a, "retry_after_s",
				    json_integer(err->retry_after_s > 0 ? err->retry_after_s
									: 1));
	return a;
}
