/* processors.c: affinity and control-group quota. See processors.h. */
#include "base/processors.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 4096 + 256 };

/* The first line of a small file, without its end; false if there is none. */
static bool read_line(const char *path, char *line, size_t size) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool ok = fgets(line, (int)size, file) != NULL;
  fclose(file);
  if (ok) line[strcspn(line, "\n")] = '\0';
  return ok;
}

/* quota and period in microseconds, as processors, rounded up; 0: no limit, or not a limit we understand. */
static unsigned processors_of(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return 0;
  long long whole = quota / period + (quota % period != 0);
  return whole > 65536 ? 65536 : (unsigned)whole;
}

static unsigned smaller_limit(unsigned a, unsigned b) { return a == 0 ? b : b == 0 || a < b ? a : b; }

/* The limit set on one group itself. */
static unsigned limit_v2(const char *folder) {
  char path[PATH_BYTES + 64], line[128];
  long long quota, period;
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  if (!read_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2) return 0; /* "max" too */
  return processors_of(quota, period);
}

static unsigned limit_v1(const char *folder) {
  char path[PATH_BYTES + 64], line[128];
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
  if (!read_line(path, line, sizeof line)) return 0;
  long long quota = strtoll(line, NULL, 10);
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (!read_line(path, line, sizeof line)) return 0;
  return processors_of(quota, strtoll(line, NULL, 10));
}

/* The tightest limit from `group` up to the root of its hierarchy. Inside a container the path that /proc names may not
 * exist below the mount, whose root is then the group itself: folders without limits count for nothing. */
static unsigned limit_of_path(const char *hierarchy, const char *group, unsigned (*limit)(const char *folder)) {
  char folder[PATH_BYTES];
  int length = snprintf(folder, sizeof folder, "%s%s", hierarchy, group);
  if (length < 0 || (size_t)length >= sizeof folder) return limit(hierarchy);
  unsigned tightest = 0;
  size_t root = strlen(hierarchy);
  for (;;) {
    tightest = smaller_limit(tightest, limit(folder));
    if (strlen(folder) <= root) return tightest;
    char *slash = strrchr(folder, '/');
    *(slash >= folder + root ? slash : folder + root) = '\0';
  }
}

/* Whether the comma-separated list holds "cpu". */
static bool names_cpu(const char *list, size_t length) {
  for (size_t at = 0; at < length;) {
    size_t word = strcspn(list + at, ",:");
    if (word == 3 && memcmp(list + at, "cpu", 3) == 0) return true;
    at += word + 1;
  }
  return false;
}

unsigned weft__processors_quota(const char *membership, const char *mount) {
  FILE *file = fopen(membership, "re");
  if (file == NULL) return 0;
  char line[LINE_BYTES], hierarchy[PATH_BYTES];
  unsigned tightest = 0;
  /* "0::/path" in version 2, "4:cpu,cpuacct:/path" in version 1; both may be present. */
  while (fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) continue;
    controllers++;
    size_t length = (size_t)(group - controllers);
    group++;
    if (length == 0) {
      tightest = smaller_limit(tightest, limit_of_path(mount, group, limit_v2));
    } else if (names_cpu(controllers, length)) {
      snprintf(hierarchy, sizeof hierarchy, "%.1024s/%.*s", mount, (int)length, controllers);
      tightest = smaller_limit(tightest, limit_of_path(hierarchy, group, limit_v1));
      snprintf(hierarchy, sizeof hierarchy, "%.1024s/cpu", mount);
      tightest = smaller_limit(tightest, limit_of_path(hierarchy, group, limit_v1));
    }
  }
  fclose(file);
  return tightest;
}

/* More processors than a cpu_set_t holds are asked for with larger sets, until the kernel is content. */
static unsigned affinity(void) {
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
    size_t size = CPU_ALLOC_SIZE(cpus);
    cpu_set_t *set = weft__alloc_zero(size);
    if (set == NULL) return 1;
    int status = sched_getaffinity(0, size, set);
    int count = status == 0 ? CPU_COUNT_S(size, set) : 0;
    bool too_small = status != 0 && errno == EINVAL;
    weft__free(set, size);
    if (!too_small) return count > 0 ? (unsigned)count : 1;
  }
  return 1;
}

unsigned weft__processors(void) {
  unsigned usable = smaller_limit(affinity(), weft__processors_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
  return usable != 0 ? usable : 1;
}
