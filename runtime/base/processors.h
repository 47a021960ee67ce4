/* processors.h: how many processors this process may use. */
#ifndef WEFT_BASE_PROCESSORS_H
#define WEFT_BASE_PROCESSORS_H

/* The smaller of the calling thread's affinity and the control groups' quota, rounded up; at least 1. */
unsigned weft__processors(void);
/* The quota part, from a /proc/<pid>/cgroup file and the place where control groups are mounted (for tests);
 * 0: no limit. Version 1 and 2; the tightest limit on the way from the group to the root counts. */
unsigned weft__processors_quota(const char *membership, const char *mount);

#endif
