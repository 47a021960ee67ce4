/* test_processors.c: quotas of both versions of control groups, read from folders that look like them. */
#include "base/processors.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char root[256];

static void put(const char *path, const char *text) {
  char whole[512];
  snprintf(whole, sizeof whole, "%s/%s", root, path);
  for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(whole, 0700);
    *slash = '/';
  }
  FILE *file = fopen(whole, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static unsigned quota(void) {
  char membership[512], mount[512];
  snprintf(membership, sizeof membership, "%s/membership", root);
  snprintf(mount, sizeof mount, "%s/mount", root);
  return weft__processors_quota(membership, mount);
}

static int make_root(void **state) {
  (void)state;
  snprintf(root, sizeof root, "%s/weft-processors-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
  return mkdtemp(root) == NULL;
}
static int remove_root(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) {
    execlp("rm", "rm", "-rf", root, (char *)NULL);
    _exit(1);
  }
  int status;
  return waitpid(child, &status, 0) != child || status != 0;
}

static void test_nothing(void **state) {
  (void)state;
  assert_int_equal(quota(), 0); /* no membership file at all */
  put("membership", "0::/\n");
  assert_int_equal(quota(), 0);
  put("membership", "garbage\n\n::\n0::\n7:cpu\n");
  assert_int_equal(quota(), 0);
}

static void test_version_2(void **state) {
  (void)state;
  put("membership", "0::/a/b\n");
  put("mount/a/b/cpu.max", "max 100000\n");
  assert_int_equal(quota(), 0);
  put("mount/a/b/cpu.max", "200000 100000\n");
  assert_int_equal(quota(), 2);
  put("mount/a/b/cpu.max", "200001 100000\n");
  assert_int_equal(quota(), 3); /* rounded up */
  put("mount/a/b/cpu.max", "1000 100000\n");
  assert_int_equal(quota(), 1);
  put("mount/a/b/cpu.max", "800000 100000\n");
  put("mount/a/cpu.max", "400000 100000\n");
  assert_int_equal(quota(), 4); /* the parent's is tighter */
  put("mount/cpu.max", "300000 100000\n");
  assert_int_equal(quota(), 3);
  put("membership", "0::/not/there\n");
  assert_int_equal(quota(), 3); /* a container's root */
  put("mount/cpu.max", "0 100000\n");
  assert_int_equal(quota(), 0);
  put("mount/cpu.max", "nonsense\n");
  assert_int_equal(quota(), 0);
}

static void test_version_1(void **state) {
  (void)state;
  put("membership", "12:cpuset:/x\n4:cpuacct,cpu:/job\n1:name=systemd:/job\n");
  put("mount/cpuset/x/cpu.cfs_quota_us", "100000\n"); /* not a cpu controller: ignored */
  put("mount/cpuset/x/cpu.cfs_period_us", "100000\n");
  put("mount/cpuacct,cpu/job/cpu.cfs_quota_us", "-1\n");
  put("mount/cpuacct,cpu/job/cpu.cfs_period_us", "100000\n");
  assert_int_equal(quota(), 0);
  put("mount/cpuacct,cpu/job/cpu.cfs_quota_us", "250000\n");
  assert_int_equal(quota(), 3);
  put("membership", "4:cpu:/job\n");
  assert_int_equal(quota(), 0);
  put("mount/cpu/job/cpu.cfs_quota_us", "500000\n");
  put("mount/cpu/job/cpu.cfs_period_us", "100000\n");
  assert_int_equal(quota(), 5);
}

static void test_both_versions(void **state) {
  (void)state;
  put("membership", "4:cpu:/job\n0::/job\n");
  put("mount/cpu/job/cpu.cfs_quota_us", "500000\n");
  put("mount/cpu/job/cpu.cfs_period_us", "100000\n");
  put("mount/job/cpu.max", "200000 100000\n");
  assert_int_equal(quota(), 2);
}

static void test_affinity(void **state) {
  (void)state;
  unsigned all = weft__processors();
  assert_true(all >= 1);
  cpu_set_t before, one;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  unsigned limit = weft__processors_quota("/proc/self/cgroup", "/sys/fs/cgroup"),
           allowed = (unsigned)CPU_COUNT(&before);
  assert_int_equal(all, limit == 0 || limit > allowed ? allowed : limit);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &before)) {
      CPU_SET(i, &one);
      break;
    }
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  unsigned alone = weft__processors();
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
  assert_int_equal(alone, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_nothing, make_root, remove_root),
      cmocka_unit_test_setup_teardown(test_version_2, make_root, remove_root),
      cmocka_unit_test_setup_teardown(test_version_1, make_root, remove_root),
      cmocka_unit_test_setup_teardown(test_both_versions, make_root, remove_root),
      cmocka_unit_test(test_affinity),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
