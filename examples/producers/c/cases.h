/* The test cases: each is sent as tables and as bodies. A service has no need of this file. */
#ifndef CASES_H
#define CASES_H

#include "payload.h"

int send_cases(struct payload_producer *producer, const char *file, const char *asset, const char *binding);

#endif
