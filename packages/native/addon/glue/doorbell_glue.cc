#include "../core/doorbell.h"
#include "functions.h"
#include "ledger.h"

napi_value doorbell_create_call(napi_env env, napi_callback_info) {
  return descriptor_or_throw(env, doorbell_create(), "eventfd");
}

napi_value doorbell_pair_call(napi_env env, napi_callback_info) {
  int fds[2];
  int result = doorbell_pair(fds);
  return descriptors_or_throw(env, result, fds, "pipe2");
}

napi_value doorbell_ring_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "doorbellRing");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return make_int32(env, doorbell_ring(fd));
}

napi_value doorbell_clear_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "doorbellClear");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return make_int32(env, doorbell_clear(fd));
}
