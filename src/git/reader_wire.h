/* The bytes of the reader's requests and answers; reader.h says what they mean. */
#pragma once

#include <stdint.h>

#define READER_VERB_OBJECT 'O'
#define READER_VERB_PREFIX 'P'
#define READER_VERB_REFS 'R'
#define READER_VERB_WORK 'W'
#define READER_REQUEST_SIZE (1 + 20 + 1)
#define READER_ANSWER_SIZE (1 + 1 + 8)

static inline void reader_pack_answer(unsigned char out[READER_ANSWER_SIZE],
				      unsigned char status, unsigned char type, uint64_t size)
{
	out[0] = status;
	out[1] = type;
	for (int i = 0; i < 8; i++)
		out[2 + i] = (unsigned char)(size >> (8 * i));
}

static inline uint64_t reader_unpack_size(const unsigned char answer[READER_ANSWER_SIZE])
{
	uint64_t size = 0;

	for (int i = 7; i >= 0; i--)
		size = size << 8 | answer[2 + i];
	return size;
}
