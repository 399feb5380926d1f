/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071), for both compilers. Sums are of 16-bit
 * words as they lie in memory: the result is the same bytes on the wire
 * whatever the host's byte order (RFC 1071, section 2B), and no word is swapped.
 *
 * A sum of up to 65,535 words fits 32 bits; frames have fewer than 5,000.
 */
#ifndef SLUICE_GEN_CHECKSUM_H
#define SLUICE_GEN_CHECKSUM_H

#include <linux/types.h>

#define GEN_INLINE static inline __attribute__((always_inline))

/* 16 bits as they lie on the wire. */
GEN_INLINE __u32 gen_sum16(__u16 wire)
{
	return wire;
}

/* The two words of 32 bits as they lie on the wire. */
GEN_INLINE __u32 gen_sum32(__u32 wire)
{
	return (wire & 0xffff) + (wire >> 16);
}

GEN_INLINE __u32 gen_sum64(__u64 wire)
{
	return gen_sum32((__u32)wire) + gen_sum32((__u32)(wire >> 32));
}

#ifndef __bpf__
/* Any number of bytes; an odd one counts as if a zero followed. */
static inline __u32 gen_sum_bytes(const void *bytes, __u32 count)
{
	const __u8 *from = bytes;
	__u32 sum = 0;
	__u16 word;

	for (; count >= 2; from += 2, count -= 2) {
		__builtin_memcpy(&word, from, 2);
		sum += word;
	}
	if (count) {
		word = 0;
		__builtin_memcpy(&word, from, 1);
		sum += word;
	}
	return sum;
}
#endif

/* The value of the checksum field, as it lies on the wire. */
GEN_INLINE __u16 gen_sum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (__u16)~sum;
}

/* The same for UDP, where 0 would say that there is no checksum. */
GEN_INLINE __u16 gen_sum_fold_udp(__u32 sum)
{
	__u16 check = gen_sum_fold(sum);

	return check ? check : 0xffff;
}

#endif /* SLUICE_GEN_CHECKSUM_H */
