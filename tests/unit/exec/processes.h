/* processes.h: counting what this program has: descriptors, and processes by name and group. */
#ifndef TESTS_UNIT_EXEC_PROCESSES_H
#define TESTS_UNIT_EXEC_PROCESSES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((unused)) static int count_descriptors(void) {
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

/* Processes of that name in this program's group, which it has made its own; zombies too. *first is one that lives. */
__attribute__((unused)) static int find_processes(const char *name, int *first) {
  int count = 0;
  DIR *directory = opendir("/proc");
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    char path[300], line[512] = "", comm[64] = "";
    int pid, parent, group;
    char state;
    snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
    FILE *file = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
    if (file == NULL) continue;
    if (fgets(line, sizeof line, file) != NULL &&
        sscanf(line, "%d (%63[^)]) %c %d %d", &pid, comm, &state, &parent, &group) == 5 && group == getpgrp() &&
        strcmp(comm, name) == 0) {
      count++;
      if (state != 'Z') *first = pid;
    }
    fclose(file);
  }
  closedir(directory);
  return count;
}
__attribute__((unused)) static int count_processes(const char *name) {
  int first = 0;
  return find_processes(name, &first);
}

#endif
