/*
 * Which descriptors an environment has opened and not closed, as bits in memory that other threads read:
 * when a thread ends in the middle of something, somebody else can close what it had open. Nothing is kept
 * unless descriptorLedger was called.
 */
#pragma once

#include "translate.h"

/* Where the bits lie; `words` is null while there is no ledger. */
struct Ledger {
  int32_t *words;
  size_t count;
  napi_ref keeper;
};

void ledger_opened(napi_env env, int fd);

/* To be called before the descriptor is closed: afterwards its number may be somebody else's. */
void ledger_closing(napi_env env, int fd);

/* number_or_throw for a new descriptor. */
napi_value descriptor_or_throw(napi_env env, int64_t result, const char *syscall,
                               const char *detail = nullptr);

/* pair_or_throw for two new descriptors. */
napi_value descriptors_or_throw(napi_env env, int result, const int fds[2], const char *syscall);
