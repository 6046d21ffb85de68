/* The description of the HTTP interface (OpenAPI 3.1), part of the program. */
#pragma once

#include <stddef.h>

extern const char openapi_text[];
size_t openapi_size(void);
