/* Names of agents, systems and references: what is taken is what the rule says, and every way
 * back leads to the same. */
#include "fuzz.h"

#include "model/names.h"
#include "model/proposal.h"
#include "model/system.h"

#include <inttypes.h>

static bool is_agent(const char *s)
{
	size_t n = strlen(s);

	if (n < 1 || n > 32 || s[0] < 'a' || s[0] > 'z' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') ||
		      s[i] == '-'))
			return false;
	return true;
}

static void try_name(const char *name)
{
	char container[CONTAINER_NAME_SIZE];
	struct error err = {};
	uint16_t port;

	if (name_check(name, &err) < 0) {
		must(err.err && fuzz_is_clean(err.text, strlen(err.text), false));
		return;
	}
	must(is_agent(name));
	must(strlen(name_container(container, name)) <= CONTAINER_NAME_MAX);
	must(container[0] == 'h' &&
	     strspn(container, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(container));
	port = name_port(name);
	must(name_is_manager(name) ? port == MANAGER_PORT
				   : port >= PORT_BASE && port < PORT_BASE + PORT_SPAN);
}

static void try_system(const char *text)
{
	char back[SYSTEM_SIZE], shown[SYSTEM_SIZE];

	if (system_is_valid(text)) {
		must(strlen(text) < SYSTEM_SIZE &&
		     !strstr(text, "..") == !strstr(system_name(text), ".."));
		must(!strchr(system_name(text), '/') && system_name(text)[0] != '.');
		must(system_from_name(system_name(text), back) && strcmp(back, text) == 0);
		must(strlen(system_show(shown, text)) > 0);
		must(system_is_store(text) == (text[0] == '/'));
	}
	if (system_from_name(text, back))
		must(system_is_valid(back) && strcmp(system_name(back), text) == 0);
}

static void try_reference(const char *text)
{
	enum proposal_state state;
	int64_t id;
	char back[80];

	if (proposal_parse_ref(text, &state, &id) < 0)
		return;
	must(id >= 0 && state < PROPOSAL_STATE_COUNT);
	snprintf(back, sizeof(back), "refs/tags/%s/%" PRId64, proposal_tag_family(state), id);
	must(strcmp(back, text) == 0);
}

static void try_number(const char *text)
{
	char back[24];
	int64_t n;

	if (!text_to_number(text, -1000, INT64_MAX, &n))
		return;
	must(n >= -1000);
	snprintf(back, sizeof(back), "%" PRId64, n);
	text += *text == '-';
	text += strspn(text, "0");
	must(strcmp(back + (back[0] == '-'), *text ? text : "0") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_field(&data, &size);

	try_name(text);
	try_system(text);
	try_reference(text);
	try_number(text);
	return 0;
}
