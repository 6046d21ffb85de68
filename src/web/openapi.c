#include "web/openapi.h"

/* .incbin looks where -I points, and puts the file into read-only memory as it is. */
__asm__(".pushsection .rodata.openapi,\"a\",@progbits\n"
	".globl openapi_text\n"
	"openapi_text:\n"
	".incbin \"web/openapi.json\"\n"
	"openapi_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char openapi_end[];

size_t openapi_size(void)
{
	return (size_t)(openapi_end - openapi_text);
}
