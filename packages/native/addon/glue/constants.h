/* What this machine's headers say about the numbers in src/constants.ts; a test compares them. */
#pragma once

#include "translate.h"

napi_value make_constants(napi_env env);
