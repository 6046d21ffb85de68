/*
 * Conf files of nixos-container: whatever an operator wrote there, after our lines were put in
 * systemd reads ours (systemd.exec(5), EnvironmentFile=), and the others as before.
 */
#include "fuzz.h"

#include "host/nixos_conf.h"

#define SYSTEM "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-alice"

static const char own[] =
	"PRIVATE_NETWORK=0\nHOST_ADDRESS=\nPRIVATE_USERS=1310720\nSYSTEM_PATH=" SYSTEM
	"\nEXTRA_NSPAWN_FLAGS=\"--private-users-ownership=chown\"\n";

/*
 * The last value a key gets, as systemd's parser finds it. Quotes stand at the beginning of a
 * value and may hold newlines; a backslash takes the next character along, at the end of a
 * comment only before systemd 254. A new string, or NULL.
 */
static char *value_of(const char *text, const char *wanted, bool old)
{
	char *found = NULL;

	while (*text) {
		_cleanup_buf_ struct buf key = {}, value = {};
		bool plain = false;

		text += strspn(text, " \t\r\n");
		if (*text == '#' || *text == ';') {
			for (; *text && !strchr("\r\n", *text); text++)
				if (text[0] == '\\' && text[1] &&
				    (old || !strchr("\r\n", text[1])))
					text++;
			continue;
		}
		if (*text)
			buf_add_char(&key, *text++);
		for (; *text && !strchr("=\r\n", *text); text++)
			buf_add_char(&key, *text);
		if (*text != '=')
			continue;
		text++;
		while (*text && !strchr("\r\n", *text)) {
			char quote = *text;

			if (!plain && (quote == '"' || quote == '\'')) {
				for (text++; *text && *text != quote; text++) {
					if (quote == '"' && text[0] == '\\' && text[1] &&
					    *++text == '\n')
						continue;
					buf_add_char(&value, *text);
				}
				text += *text != '\0';
				continue;
			}
			if (*text == '\\') {
				plain = true;
				if (text[1] && !strchr("\r\n", text[1]))
					buf_add_char(&value, text[1]);
				text += text[1] ? 2 : 1;
				continue;
			}
			if (plain || !strchr(" \t", *text)) {
				plain = true;
				buf_add_char(&value, *text);
			}
			text++;
		}
		while (key.size > 0 && strchr(" \t", key.data[key.size - 1]))
			buf_truncate(&key, key.size - 1);
		if (strcmp(buf_str(&key), wanted) != 0)
			continue;
		free(found);
		buf_add_str(&value, "");
		found = buf_take(&value);
	}
	return found;
}

static void says(const char *text, const char *key, const char *wanted)
{
	for (int old = 0; old < 2; old++) {
		_cleanup_free_ char *value = value_of(text, key, old);

		if (!value || strcmp(value, wanted) != 0)
			fprintf(stderr, "%s is '%s' in:\n%s\n", key, value ? value : "(unset)",
				text);
		must(value && strcmp(value, wanted) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_field(&data, &size);
	_cleanup_buf_ struct buf once = {}, twice = {};
	char system[SYSTEM_SIZE];

	(void)nixos_conf_system(text, system);
	nixos_conf_rewrite(text, own, &once);
	nixos_conf_rewrite(buf_str(&once), own, &twice);
	must(strcmp(buf_str(&once), buf_str(&twice)) == 0);
	must(nixos_conf_same_host(buf_str(&once), buf_str(&twice)));
	must(nixos_conf_system(buf_str(&once), system) && strcmp(system, SYSTEM) == 0);
	says(buf_str(&once), "SYSTEM_PATH", SYSTEM);
	says(buf_str(&once), "PRIVATE_USERS", "1310720");
	says(buf_str(&once), "PRIVATE_NETWORK", "0");
	says(buf_str(&once), "EXTRA_NSPAWN_FLAGS", "--private-users-ownership=chown");
	must(!value_of(buf_str(&once), "FLAKE", false));
	return 0;
}
