/* Stands in for the kubelet: a process with its name and flags, which writes to the journal what the kubelet writes
 * when it starts and while nothing happens, and says at /healthz that it is well, or what a file tells it to say. Lines
 * are those of a real one of 1.20, with the time and PID of now. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HEALTHZ_PORT 10248
#define SICK "/run/lab-healthz" /* what stands there is answered with status 500; empty: nothing is answered */

static void say(const char *line)
{
	struct timeval now;
	struct tm at;
	char head[32];

	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &at);
	strftime(head, sizeof head, "I%m%d %H:%M:%S", &at);
	fprintf(stderr, "%s.%06ld %7d %s\n", head, (long)now.tv_usec, (int)getpid(), line);
}

static int listening(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(HEALTHZ_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 8))
		perror("healthz");
	return fd;
}

static void answer(int fd)
{
	char body[256] = "ok", request[1024];
	FILE *sick = fopen(SICK, "r");
	size_t length = 2;

	if (sick) {
		length = fread(body, 1, sizeof body - 1, sick);
		body[length] = 0;
		fclose(sick);
	}
	if (length == 0) {
		sleep(30);
	} else if (read(fd, request, sizeof request) > 0) {
		dprintf(fd, "HTTP/1.0 %s\r\nContent-Type: text/plain\r\n\r\n%s",
			sick ? "500 Internal Server Error" : "200 OK", body);
	}
	close(fd);
}

int main(void)
{
	struct pollfd asked = {.events = POLLIN};

	say("server.go:416] Version: v1.20.15-gke.13400");
	say("server.go:645] --cgroups-per-qos enabled, but --cgroup-root was not specified.  defaulting to /");
	say("container_manager_linux.go:274] container manager verified user specified cgroup-root exists: []");
	say("kubelet.go:265] Adding pod path: /etc/kubernetes/manifests");
	say("kuberuntime_manager.go:216] Container runtime containerd initialized, version: 1.4.8, apiVersion: v1alpha2");
	asked.fd = listening();
	say("server.go:1176] Started kubelet");
	say("kubelet.go:1823] Starting kubelet main sync loop.");
	say("kubelet_node_status.go:71] Attempting to register node gke-lab-default-pool-1a2b3c4d-cos0");
	say("kubelet_node_status.go:74] Successfully registered node gke-lab-default-pool-1a2b3c4d-cos0");
	for (;;) {
		if (poll(&asked, 1, 60000) > 0)
			answer(accept(asked.fd, NULL, NULL));
		else
			say("kubelet_getters.go:300] \"Pod status updated\" pod=\"kube-system/kube-proxy\" status=Running");
	}
}
