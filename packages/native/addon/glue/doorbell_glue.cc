#include "../core/doorbell.h"
#include "functions.h"

napi_value doorbell_create_call(napi_env env, napi_callback_info) {
  return number_or_throw(env, doorbell_create(), "eventfd");
}

napi_value doorbell_pair_call(napi_env env, napi_callback_info) {
  int fds[2];
  int result = doorbell_pair(fds);
  return pair_or_throw(env, result, fds, "pipe2");
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
