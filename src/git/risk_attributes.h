/* .gitattributes read for one question. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether an attribute is set that makes exported files differ from the tree's: export-ignore,
 * export-subst, filter, text, eol, crlf, ident, working-tree-encoding (gitattributes(5)). Unset
 * ones
 * (-text, !text) convert nothing and do not count.
 */
bool risk_attributes_convert(const char *text, size_t size);
