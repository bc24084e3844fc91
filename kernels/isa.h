/* isa.h - the forms that a kernel is compiled in, and which of them this processor runs. */
#ifndef PS_ISA_H
#define PS_ISA_H

typedef enum { PS_ISA_PLAIN, PS_ISA_AVX2, PS_ISA_AVX512, PS_ISAS } ps_isa;

/* "plain", "avx2" or "avx512" as a ps_isa; -1 if this build or this processor lacks it. */
int ps_isa_named(const char *name);

/* A table of a kernel's forms, by ps_isa; NULL for those that the build lacks. */
#ifdef PS_AVX2
#define PS_FORM_AVX2(form) form
#else
#define PS_FORM_AVX2(form) 0
#endif
#ifdef PS_AVX512
#define PS_FORM_AVX512(form) form
#else
#define PS_FORM_AVX512(form) 0
#endif
#define PS_FORMS(plain, avx2, avx512)                     \
    {                                                     \
        plain, PS_FORM_AVX2(avx2), PS_FORM_AVX512(avx512) \
    }

#endif
