/* The module: one state and one set of functions for each environment that loads it. */
#include "constants.h"
#include "functions.h"
#include "state.h"

namespace {

/* Equal to `abi` in src/abi.ts; raised together whenever a function or its arguments change. */
const int32_t abi = 8;

struct Function {
  const char *name;
  napi_callback call;
};

#define KOALA_ENTRY(name, function) {#name, function},
const Function functions[] = {KOALA_FUNCTIONS(KOALA_ENTRY)};
#undef KOALA_ENTRY

}  // namespace

NAPI_MODULE_INIT() {
  if (!state_open(env)) {
    throw_error(env, "ERR_NATIVE_STATE", "the addon can't keep state in this environment");
    return nullptr;
  }
  napi_set_named_property(env, exports, "abi", make_int32(env, abi));
  napi_set_named_property(env, exports, "constants", make_constants(env));
  for (const Function &function : functions) {
    napi_value made;
    if (napi_create_function(env, function.name, NAPI_AUTO_LENGTH, function.call, nullptr, &made) !=
            napi_ok ||
        napi_set_named_property(env, exports, function.name, made) != napi_ok) {
      throw_error(env, "ERR_NATIVE_STATE", "the addon can't make its functions");
      return nullptr;
    }
  }
  return exports;
}
