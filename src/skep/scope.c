#include "skep/scope.h"

#include "base/buf.h"
#include "base/json.h"
#include "model/names.h"

#include <errno.h>

static int read_names(const struct args *args, size_t count, json_t *names, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int r = name_check(args->words[i], err);

		if (r < 0)
			return r;
		json_array_append_new(names, json_string(args->words[i]));
	}
	return 0;
}

static int read_labels(const struct args *args, json_t *labels, struct error *err)
{
	const char *label;

	for (size_t i = 0; (label = args_get_nth(args, "label", i)); i++) {
		if (label[0] == '\0' || label[0] == '=')
			return error_set(err, EINVAL, "'%s' is not a label like team=red",
					 label);
		json_array_append_new(labels, json_string(label));
	}
	return 0;
}

bool scope_is_given(const struct args *args)
{
	return args_has(args, "all") || args_get_nth(args, "label", 0);
}

static int refuse_nothing(const struct args *args, struct error *err)
{
	error_set(err, EINVAL, "'%s' needs an agent's name, --label or --all",
		  args->command->name);
	error_hint(err, "skep %s --help", args->command->name);
	return -EINVAL;
}

int scope_put(const struct args *args, size_t count, bool takes_name, json_t *request,
	      struct error *err)
{
	json_t *names = json_array(), *labels = json_array(), *scope = json_object();
	int r = read_names(args, count, names, err);

	if (r == 0)
		r = read_labels(args, labels, err);
	if (r == 0 && count == 0 && !scope_is_given(args))
		r = refuse_nothing(args, err);
	if (r == 0 && args_has(args, "all") && (count > 0 || json_array_size(labels) > 0))
		r = error_set(err, EINVAL, "--all is every agent: name none beside it");
	if (args_has(args, "all"))
		json_object_set_new(scope, "all", json_true());
	if (count > 0)
		json_object_set(scope, "agent_names", names);
	if (json_array_size(labels) > 0)
		json_object_set(scope, "labels", labels);
	if (r == 0 && takes_name && count == 1 && !scope_is_given(args))
		json_put_str(request, "name", args->words[0]);
	else if (r == 0)
		json_object_set(request, "scope", scope);
	json_decref(names);
	json_decref(labels);
	json_decref(scope);
	return r;
}

int scope_filter(const struct args *args, json_t *request, struct error *err)
{
	json_t *names = json_array(), *labels = json_array();
	int r = read_names(args, args->n_words, names, err);

	if (r == 0)
		r = read_labels(args, labels, err);
	if (r == 0 && json_array_size(names) > 0)
		json_object_set(request, "names", names);
	if (r == 0 && json_array_size(labels) > 0)
		json_object_set(request, "labels", labels);
	json_decref(names);
	json_decref(labels);
	return r;
}

char *scope_text(const struct args *args, size_t count, const json_t *answer)
{
	json_t *touched = json_object_get(answer, "touched"), *name;
	struct buf text = {};
	size_t i;

	json_array_foreach (touched, i, name)
		buf_addf(&text, "%s%s", i ? ", " : "",
			 json_is_string(name) ? json_string_value(name) : "?");
	for (i = 0; !touched && i < count; i++)
		buf_addf(&text, "%s%s", i ? ", " : "", args->words[i]);
	return text.size ? buf_take(&text) : str_dup("nothing");
}
