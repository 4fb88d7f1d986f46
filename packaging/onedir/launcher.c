/* Starts the interpreter of this folder with the C library of this folder, so that the machine needs neither.
 *
 * One program under two names: `nodediag` runs the package, `bin/python3` is the interpreter, which sys.executable
 * names. Linked statically; finds its folder by /proc/self/exe, whatever links led to it. INTERPRETER is the name of
 * the real interpreter in bin/.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAILED = 4, ADDED = 10 };

/* What would steer the loader, the C library or its tables of locales from outside. */
static const char *const unwanted[] = {"LD_", "GLIBC_TUNABLES=", "GCONV_PATH=", "LOCPATH=", "LC_", "LANG=", "LANGUAGE=",
                                       "NLSPATH=", "MALLOC_"};
static char self[PATH_MAX], loader[PATH_MAX], library[PATH_MAX], named[PATH_MAX], interpreter[PATH_MAX];

static int fail(const char *what, const char *why) {
  fprintf(stderr, "nodediag: %s: %s\n", what, why);
  return FAILED;
}

static const char *reason(int error) {
  switch (error) {
    case EACCES:
      return "permission denied: the folder is on a file system mounted noexec, as /home, /var and /tmp are on "
             "Container-Optimized OS, or its modes were lost. Places that allow execution there: /var/lib/toolbox, "
             "/var/lib/google, /home/kubernetes/bin; README.txt tells more";
    case ENOENT:
      return "not there: the folder is not complete; it moves as a whole";
    default:
      return strerror(error);
  }
}

/* Gives the folder that all else is in; `self` loses the program's name, and bin/ where it is there. */
static const char *place(int *as_interpreter) {
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return NULL;
  self[length] = '\0';
  char *name = strrchr(self, '/');
  *as_interpreter = strcmp(name, "/python3") == 0;
  *name = '\0';
  if (*as_interpreter) *strrchr(self, '/') = '\0';
  return self;
}

static int join(char *path, const char *folder, const char *name) {
  return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static void clean(char **environment) {
  char **kept = environment;
  for (char **variable = environment; *variable; variable++) {
    int wanted = 1;
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
      if (strncmp(*variable, unwanted[i], strlen(unwanted[i])) == 0) wanted = 0;
    if (wanted) *kept++ = *variable;
  }
  *kept = NULL;
}

int main(int count, char **arguments) {
  int as_interpreter = 0;
  const char *folder = place(&as_interpreter);
  if (!folder) return fail("/proc/self/exe", strerror(errno));
  if (strpbrk(folder, ":;$")) return fail(folder, "a path with `:`, `;` or `$` in it cannot hold libraries; move the folder");
  if (!join(loader, folder, "lib/nodediag") || !join(library, folder, "lib") || !join(named, folder, "bin/python3") ||
      !join(interpreter, folder, "bin/" INTERPRETER))
    return fail(folder, strerror(ENAMETOOLONG));

  char **run = calloc((size_t)count + ADDED, sizeof *run);
  if (!run) return fail("memory", strerror(errno));
  int n = 0;
  run[n++] = "nodediag";
  run[n++] = "--argv0";
  run[n++] = named;
  run[n++] = "--library-path";
  run[n++] = library;
  run[n++] = interpreter;
  if (!as_interpreter) {
    run[n++] = "-I";
    run[n++] = "-m";
    run[n++] = "nodediag";
  }
  for (int i = 1; i < count; i++) run[n++] = arguments[i];

  clean(environ);
  if (putenv("LC_ALL=C")) return fail("memory", strerror(errno)); /* UTF-8 mode, and no locale of the machine's */
  execv(loader, run);
  return fail(loader, reason(errno));
}
