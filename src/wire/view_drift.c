#include "wire/view_drift.h"

#include "base/buf.h"
#include "base/clock.h"

json_t *view_difference(const char *agent, const char *field, const char *want,
			const char *have, int64_t since)
{
	char text[CLOCK_TEXT_SIZE];

	return json_pack("{s:s,s:s,s:s,s:s,s:s}", "agent", agent, "field", field, "want", want,
			 "have", have, "since", clock_format(text, since));
}

json_t *view_drift_summary(const json_t *rows)
{
	_cleanup_buf_ struct buf text = {};
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row)
		buf_addf(&text, "%s%s", i ? ", " : "",
			 json_string_value(json_object_get(row, "field")));
	return json_string(buf_str(&text));
}
