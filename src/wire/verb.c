#include "wire/verb.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define O PRINCIPAL_OPERATOR
#define R PRINCIPAL_READER
#define M PRINCIPAL_MANAGER
#define A PRINCIPAL_AGENT
#define W PRINCIPAL_WEB
#define WS (PRINCIPAL_WEB | VERB_STEP_UP)
#define WO (PRINCIPAL_WEB | VERB_OPEN)

/* Nothing with operator authority (approve, deny, spawn, destroy, exec, shell, …) has an entry
 * for M or A. */
static const struct verb verbs[VERB_COUNT] = {
	[VERB_HELLO] = {"hello", VERB_HELLO, O | R | M | A | WO, false, false, ""},
	[VERB_STATUS] = {"status", VERB_STATUS, O | R | M | A | W, false, false, ""},
	[VERB_LIST] = {"list", VERB_LIST, O | R | M | A | W, false, false, ""},
	[VERB_AGENT_STATUS] = {"agent_status", VERB_AGENT_STATUS, O | R | W, false, false,
			       "names labels"},
	[VERB_SUBSCRIBE] = {"subscribe_agent_status", VERB_SUBSCRIBE, O | R | W, false, false,
			    "snapshot since kinds heartbeat_s"},
	[VERB_URLS] = {"urls", VERB_URLS, O | R | W, false, false, ""},
	[VERB_PENDING] = {"pending", VERB_PENDING, O | R | W, false, false,
			  "id status agent kind before limit"},
	[VERB_PROPOSALS] = {"proposals", VERB_PROPOSALS, M | A, false, false,
			    "id status agent before limit"},
	[VERB_AGENT] = {"agent", VERB_AGENT, O | R | M | W, false, false, "name"},
	[VERB_PROPOSAL] = {"proposal", VERB_PROPOSAL, O | R | M | A | W, false, false, "id"},
	[VERB_EFFECT] = {"effect", VERB_EFFECT, O | R | M | W, false, false, "id"},
	[VERB_DIFF] = {"diff", VERB_DIFF, O | R | M | W, false, false,
		       "id against name from to"},
	[VERB_BUILD_LOG] = {"build_log", VERB_BUILD_LOG, O | R | M | W, false, false,
			    "id follow"},
	[VERB_HISTORY] = {"history", VERB_HISTORY, O | R | M | W, false, false, "name limit"},
	[VERB_SPAWN] =
		{"spawn", VERB_SPAWN, O | WS, true, true,
		 "name driver builder labels memory_max cpu_quota tasks_max network wait"},
	[VERB_REQUEST_SPAWN] = {"request_spawn", VERB_REQUEST_SPAWN, O | M | W, true, true,
				"name description driver builder labels memory_max cpu_quota "
				"tasks_max network"},
	[VERB_FORK] = {"fork", VERB_FORK, O | M | W, true, true,
		       "name to deployed state description"},
	[VERB_ADOPT] = {"adopt", VERB_ADOPT, O, true, true,
			"name builder labels memory_max cpu_quota tasks_max network wait"},
	[VERB_IMPORT_HYPERHIVE] = {"import_hyperhive", VERB_IMPORT_HYPERHIVE, O, true, true,
				   "names dry_run start state"},
	[VERB_RENAME] = {"rename", VERB_RENAME, O | WS, true, true, "name to note wait"},
	[VERB_UPDATE_INPUTS] = {"update_inputs", VERB_UPDATE_INPUTS, O, true, true,
				"names description"},
	[VERB_START] = {"start", VERB_START, O | M | W, true, false, "scope name wait"},
	[VERB_STOP] = {"stop", VERB_STOP, O | M | W, true, false,
		       "scope name graceful deadline_s wait"},
	[VERB_KILL] = {"kill", VERB_KILL, O | W, true, false, "scope name deadline_s wait"},
	[VERB_RESTART] = {"restart", VERB_RESTART, O | M | W, true, false,
			  "scope name deadline_s wait"},
	[VERB_REBUILD] = {"rebuild", VERB_REBUILD, O | W, true, false, "scope name wait"},
	[VERB_DESTROY] = {"destroy", VERB_DESTROY, O | WS, true, true,
			  "scope name purge confirm wait"},
	[VERB_SET] = {"set", VERB_SET, O | WS, true, true, "scope name settings"},
	[VERB_SET_PARENT] = {"set_parent", VERB_SET_PARENT, O | WS, true, false,
			     "child new_parent"},
	[VERB_SET_PAUSED] = {"set_paused", VERB_SET_PAUSED, O | W, true, false,
			     "scope name paused"},
	[VERB_FREEZE] = {"freeze", VERB_FREEZE, O | W, true, false, "scope name"},
	[VERB_THAW] = {"thaw", VERB_THAW, O | W, true, false, "scope name"},
	[VERB_SUBMIT] = {"submit", VERB_SUBMIT, O | M | A, true, false,
			 "agent commit description"},
	[VERB_WITHDRAW] = {"withdraw", VERB_WITHDRAW, O | M | A | W, true, false, "id note"},
	[VERB_APPROVE] = {"approve", VERB_APPROVE, O | WS, true, true,
			  "id commit tree base flags_ack idem_key note wait"},
	[VERB_DENY] = {"deny", VERB_DENY, O | WS, true, true,
		       "id commit tree base idem_key note"},
	[VERB_ROLLBACK] = {"rollback", VERB_ROLLBACK, O | WS, true, true, "name to note wait"},
	[VERB_EXEC] = {"exec", VERB_EXEC, O, true, false, "name argv env user cwd"},
	[VERB_SHELL] = {"shell", VERB_SHELL, O, true, false, "name argv term rows cols"},
	[VERB_LOGS] = {"logs", VERB_LOGS, O | R | W, false, false,
		       "name lines follow since until priority after_cursor "
		       "output system"},
	[VERB_SIGNAL] = {"signal", VERB_SIGNAL, O, true, false, "signal"},
	[VERB_AUDIT] = {"audit", VERB_AUDIT, O | R | W, false, false, "limit before"},
	[VERB_AUDIT_VERIFY] = {"audit_verify", VERB_AUDIT_VERIFY, O | R | W, false, false, ""},
	[VERB_DOCTOR] = {"doctor", VERB_DOCTOR, O | R | W, false, false, ""},
	[VERB_DRIFT] = {"drift", VERB_DRIFT, O | R | W, false, false, "names"},
	[VERB_USAGE] = {"usage", VERB_USAGE, O | R | W, false, false, "names labels history"},
	[VERB_WHOAMI] = {"whoami", VERB_WHOAMI, O | R | M | A | W, false, false, ""},
	[VERB_SET_STATUS] = {"set_status", VERB_SET_STATUS, M | A, true, false, "text"},
	[VERB_DASHBOARD] = {"dashboard", VERB_DASHBOARD, O, false, true, "id confirm"},
	[VERB_SESSIONS] = {"sessions", VERB_SESSIONS, O, false, false, ""},
	[VERB_SESSIONS_REVOKE] = {"sessions_revoke", VERB_SESSIONS_REVOKE, O, false, true,
				  "id all"},
	[VERB_WEB_LOGIN] = {"web_login", VERB_WEB_LOGIN, WO, false, true, "code"},
	[VERB_WEB_STEP_UP] = {"web_step_up", VERB_WEB_STEP_UP, W, true, true, "code"},
	[VERB_WEB_SESSION] = {"web_session", VERB_WEB_SESSION, W, false, true, ""},
	[VERB_WEB_LOGOUT] = {"web_logout", VERB_WEB_LOGOUT, W, false, true, ""},
	[VERB_METRICS] = {"metrics", VERB_METRICS, O | R | WO, false, false, ""},
	[VERB_SEEN] = {"seen", VERB_SEEN, O | W, true, false, "id"},
	[VERB_AGENT_HISTORY] = {"agent_history", VERB_AGENT_HISTORY, O | R | M | W, false,
				false, "name before limit"},
	[VERB_READY] = {"ready", VERB_READY, O | R | WO, false, false, ""},
	[VERB_PLAN] = {"plan", VERB_PLAN, O | R, false, true, "prune"},
	[VERB_APPLY] = {"apply", VERB_APPLY, O, true, true, "prune meta wait"},
};

const struct verb *verb_table(void)
{
	return verbs;
}

const char *principal_name(enum principal who)
{
	switch (who) {
	case PRINCIPAL_OPERATOR:
		return "operator";
	case PRINCIPAL_READER:
		return "reader";
	case PRINCIPAL_MANAGER:
		return "manager";
	case PRINCIPAL_AGENT:
		return "agent";
	case PRINCIPAL_WEB:
		return "web";
	}
	return "nobody";
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; n > 0 && (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
			return true;
	return false;
}

static int refuse_unknown_keys(const struct verb *verb, const json_t *request,
			       enum principal who, struct error *err)
{
	const char *proofs = who == PRINCIPAL_WEB ? "session key" : "";
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)request, key, value) {
		char *shown;

		if (strcmp(key, "cmd") == 0 || has_word(verb->keys, key) ||
		    has_word(proofs, key))
			continue;
		shown = text_clean_dup(key, 60, false);
		error_set(err, EINVAL, "unknown key '%s' in '%s'", shown, verb->name);
		free(shown);
		return -EINVAL;
	}
	return 0;
}

static const struct verb *find_verb(const char *name)
{
	for (int i = 0; i < VERB_COUNT; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int check_request(const json_t *request, enum principal who,
			 const struct verb **ret_verb, struct error *err)
{
	const struct verb *verb;
	const char *name = NULL;
	int r;

	if (!json_is_object(request))
		return error_set(err, EINVAL, "a request must be a JSON object");
	r = json_get_str(request, "cmd", true, &name, err);
	if (r < 0)
		return r;
	verb = find_verb(name);
	if (!verb) {
		char *shown = text_clean_dup(name, 60, false);

		r = error_set_code(err, EINVAL, "unknown_cmd", "there is no verb '%s' here",
				   shown);
		free(shown);
		return r;
	}
	if (!(verb->allowed & (unsigned)who))
		return error_set(err, EACCES, "'%s' is not allowed on the %s socket",
				 verb->name, principal_name(who));
	if (verb->strict && (r = refuse_unknown_keys(verb, request, who, err)) < 0)
		return r;
	*ret_verb = verb;
	return 0;
}

int verb_parse_request(const char *line, size_t size, enum principal who, json_t **ret_request,
		       const struct verb **ret_verb, struct error *err)
{
	json_t *request = NULL;
	int r = json_parse(line, size, &request, err);

	if (r < 0)
		return r;
	r = check_request(request, who, ret_verb, err);
	if (r < 0) {
		json_decref(request);
		return r;
	}
	*ret_request = request;
	return 0;
}
