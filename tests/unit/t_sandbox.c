/* t_sandbox - what a process may no longer do, and what it still may. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "sandbox.h"

static int refused(const char *what, long rc)
{
    if (rc == -1 && errno == EPERM)
        return 0;
    fprintf(stderr, "%s: %ld, %s\n", what, rc, strerror(errno));
    return 1;
}

static void *nothing(void *arg)
{
    return refused("open in a thread", open("written", O_WRONLY)) ? NULL : arg;
}

/* How many things are not as they should be. */
static int inside(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    char byte;
    pthread_t thread;
    void *back = NULL;
    int wrong = 0, fd = open("readable", O_RDONLY);
    if (fd < 0 || read(fd, &byte, 1) != 1)
        wrong += fprintf(stderr, "a file cannot be read\n") > 0;
    if (pthread_create(&thread, NULL, nothing, &byte) != 0 || pthread_join(thread, &back) != 0 || back != &byte)
        wrong += fprintf(stderr, "threads\n") > 0;
    wrong += refused("open for writing", open("readable", O_WRONLY));
    wrong += refused("open for both", open("readable", O_RDWR));
    wrong += refused("make", open("new", O_WRONLY | O_CREAT, 0600));
    wrong += refused("make without a name", open(".", O_TMPFILE | O_RDWR, 0600));
    wrong += refused("cut off", open("readable", O_RDONLY | O_TRUNC));
    wrong += refused("rename", rename("readable", "other"));
    wrong += refused("unlink", unlink("readable"));
    wrong += refused("mkdir", mkdir("folder", 0700));
    wrong += refused("symlink", symlink("readable", "link"));
    wrong += refused("chmod", chmod("readable", 0600));
    wrong += refused("socket", socket(AF_INET, SOCK_STREAM, 0));
    wrong += refused("kill", kill(getppid(), 0));
    wrong += refused("exec", execv("/bin/true", argv));
    wrong += refused("fork", fork());
    return wrong;
}

int main(void)
{
    int status, fd = open("readable", O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(ps_sandbox() < 0 ? 77 : inside() ? 1 : 0);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        printf("this system has no seccomp filters\n");
        return 77;
    }
    CHECK(WEXITSTATUS(status) == 0);
    CHECK_END();
}
