/* The rows of the protocol told in words: agents, proposals, risk flags. */
#pragma once

#include "skep/out.h"
#include "skep/table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The one word for an agent's state, the most urgent first; borrowed from the row or static,
 * not cleaned. */
const char *agent_state(const json_t *row);
enum style agent_style(const json_t *row);

/* The state of a proposal: ours, else the coarser one of the wire. */
const char *proposal_state(const json_t *row);
enum style proposal_style(const json_t *row);

/* Whether a verdict is still awaited. */
bool proposal_is_open(const json_t *row);

/* Whether a row's state is the word: a state of ours, a status of the wire, or "all". */
bool proposal_matches(const json_t *row, const char *word);

/* The status of the wire that holds a state; NULL for an unknown word. Static. */
const char *proposal_status_of(const char *word);

/* All words proposal_matches() knows; NULL past the last. */
const char *proposal_word_at(size_t index);

/* Whether it is a commit of an agent's repository, the ordinary kind. */
bool proposal_is_of_commit(const json_t *row);

/* The agent it is about, or words for all of them. Borrowed. */
const char *proposal_subject(const json_t *row);

/* The proposed commit, "" when there is none. Borrowed. */
const char *proposal_commit(const json_t *row);

/* A title for people: the row's own, the commit's, the description. Borrowed. */
const char *proposal_title(const json_t *row);

/* Tables of proposals; with the column of agents or without. */
void proposals_print(struct out *out, const json_t *rows, bool plain, bool with_agent,
		     const char *indent);

/* A flag is a name or an object with one. Borrowed. */
const char *flag_title(const json_t *flag);
bool flag_blocks(const json_t *flag);

/* One line per flag: strength, name, sentence, place. */
void flags_print(struct out *out, const json_t *flags, const char *indent);

/* "label: value", labels aligned; nothing for an empty value. */
void field_print(struct out *out, const char *label, enum style style, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
