#include "ledger.h"

#include "functions.h"
#include "state.h"

namespace {

/* The word that holds a descriptor's bit; null when there is no ledger, or it is too short. */
int32_t *word_of(napi_env env, int fd) {
  const Ledger &ledger = state_of(env)->ledger;
  const size_t index = static_cast<size_t>(fd) / 32;
  return fd < 0 || ledger.words == nullptr || index >= ledger.count ? nullptr : ledger.words + index;
}

int32_t bit_of(int fd) { return static_cast<int32_t>(1u << (fd % 32)); }

}  // namespace

void ledger_opened(napi_env env, int fd) {
  int32_t *word = word_of(env, fd);
  if (word != nullptr) __atomic_fetch_or(word, bit_of(fd), __ATOMIC_SEQ_CST);
}

void ledger_closing(napi_env env, int fd) {
  int32_t *word = word_of(env, fd);
  if (word != nullptr) __atomic_fetch_and(word, ~bit_of(fd), __ATOMIC_SEQ_CST);
}

napi_value descriptor_or_throw(napi_env env, int64_t result, const char *syscall,
                               const char *detail) {
  if (result >= 0) ledger_opened(env, static_cast<int>(result));
  return number_or_throw(env, result, syscall, detail);
}

napi_value descriptors_or_throw(napi_env env, int result, const int fds[2], const char *syscall) {
  if (result >= 0) {
    ledger_opened(env, fds[0]);
    ledger_opened(env, fds[1]);
  }
  return pair_or_throw(env, result, fds, syscall);
}

napi_value descriptor_ledger_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "descriptorLedger");
  int32_t *words;
  size_t count;
  if (!arguments.read_int32_array(0, "bits", &words, &count)) return nullptr;
  Ledger &ledger = state_of(env)->ledger;
  /* The memory stays as long as the environment. */
  napi_ref keeper;
  if (napi_create_reference(env, arguments.at(0), 1, &keeper) != napi_ok) {
    throw_error(env, "ERR_NATIVE_STATE", "descriptorLedger: the memory can't be kept");
    return nullptr;
  }
  if (ledger.keeper != nullptr) napi_delete_reference(env, ledger.keeper);
  ledger.words = words;
  ledger.count = count;
  ledger.keeper = keeper;
  return nullptr;
}
