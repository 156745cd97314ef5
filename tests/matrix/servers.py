"""Servers on loopback, each driven by its own clients."""
import signal

from case import Server

TIMES = r'[\d.]+ ?(ms|s|sec|seconds|requests per second|tps|%)?\b'
AB = 'ab -q -n 2000 -c 16 http://127.0.0.1:PORT/text | grep -E "^(Complete|Failed|HTML)" '
CURL = 'curl -sS http://127.0.0.1:PORT/text | md5sum; ' + AB
TEXT = 'a text of some length\n' * 300
NGINX = '''worker_processes 2; pid WORK/nginx.pid; error_log WORK/error.log; daemon off;
events { worker_connections 256; }
http { access_log WORK/access.log; client_body_temp_path WORK/b; proxy_temp_path WORK/p; fastcgi_temp_path WORK/f;
 uwsgi_temp_path WORK/u; scgi_temp_path WORK/s; server { listen 127.0.0.1:PORT; root WORK; gzip on; aio threads; } }
'''
APACHE = '''ServerRoot WORK
ServerName localhost
Listen 127.0.0.1:PORT
PidFile WORK/pid
ErrorLog WORK/error.log
LoadModule mpm_MPM_module /usr/lib/apache2/modules/mod_mpm_MPM.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
DocumentRoot WORK
User www-data
Group www-data
'''
HAPROXY = '''global
 nbthread 2
defaults
 mode http
 timeout client 9s
 timeout server 9s
 timeout connect 9s
frontend f
 bind 127.0.0.1:PORT
 http-request return status 200 content-type text/plain lf-string "a text %[rand(1)]"
'''
NODE = '''require('http').createServer((q, r) => r.end('a text\\n'.repeat(300))).listen(PORT, '127.0.0.1');
process.on('SIGTERM', () => process.exit(3));
'''
SSHD = '''Port PORT
ListenAddress 127.0.0.1
HostKey WORK/host
PidFile WORK/pid
AuthorizedKeysFile WORK/key.pub
StrictModes no
UsePAM no
'''
SSH = 'ssh -F none -i WORK/key -p PORT -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 '
DOVECOT = '''base_dir = WORK/run
state_dir = WORK/state
log_path = WORK/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:WORK/mail
first_valid_uid = 1
passdb {
  driver = static
  args = password=a
}
userdb {
  driver = static
  args = uid=mail gid=mail home=WORK/mail
}
service imap-login {
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = 0
  }
}
'''
PG = 'psql -h 127.0.0.1 -p PORT -U postgres -d postgres '
MYSQL = '-S WORK/s -u root '

SERVERS = [
    Server('nginx', 'nginx-light apache2-utils', '/usr/sbin/nginx -c WORK/c -p WORK', 'curl -s http://127.0.0.1:PORT/', CURL + '; wrk -t2 -c16 -d2 http://127.0.0.1:PORT/text | grep -ciE "non-2xx|socket errors"',
           files={'c': NGINX, 'text': TEXT}, end=signal.SIGQUIT, setup='chmod 711 . ..'),
    Server('nginx reload', 'nginx-light apache2-utils', '/usr/sbin/nginx -c WORK/c -p WORK', 'curl -s http://127.0.0.1:PORT/',
           'for i in 1 2 3; do kill -HUP $(cat nginx.pid); sleep 0.3; curl -sS http://127.0.0.1:PORT/text | md5sum; done', files={'c': NGINX, 'text': TEXT}),
    *[Server(f'apache2 {mpm}', 'apache2 apache2-utils', '/usr/sbin/apache2 -DFOREGROUND -f WORK/c',
             'curl -s http://127.0.0.1:PORT/', CURL, files={'c': APACHE.replace('MPM', mpm), 'text': TEXT}, end=signal.SIGTERM, setup='chmod 711 .')
      for mpm in ('prefork', 'event')],
    Server('haproxy', 'haproxy apache2-utils', '/usr/sbin/haproxy -f WORK/c -db', 'curl -s http://127.0.0.1:PORT/', CURL, files={'c': HAPROXY}),
    Server('lighttpd', 'lighttpd apache2-utils', '/usr/sbin/lighttpd -D -f WORK/c', 'curl -s http://127.0.0.1:PORT/', CURL,
           files={'c': 'server.document-root = "WORK"\nserver.port = PORT\nserver.bind = "127.0.0.1"\n', 'text': TEXT}),
    Server('node http', 'nodejs apache2-utils', 'node WORK/s.js', 'curl -s http://127.0.0.1:PORT/', CURL, files={'s.js': NODE}),
    Server('python3 http.server', 'python3', '/usr/bin/python3 -m http.server PORT -b 127.0.0.1', 'curl -s http://127.0.0.1:PORT/',
           'curl -sS http://127.0.0.1:PORT/text | md5sum; ab -q -n 500 -c 4 http://127.0.0.1:PORT/text | grep -E "^(Complete|Failed)"', files={'text': TEXT}),
    Server('php -S', 'php-cli apache2-utils', 'php -S 127.0.0.1:PORT -t WORK', 'curl -s http://127.0.0.1:PORT/i.php',
           'curl -sS http://127.0.0.1:PORT/i.php; ab -q -n 1000 -c 4 http://127.0.0.1:PORT/i.php | grep -E "^(Complete|Failed)"',
           files={'i.php': '<?php echo md5(str_repeat("a", 999)), "\n";'}),
    Server('redis-server', 'redis-server redis-tools', 'redis-server --port PORT --save "" --io-threads 2', 'redis-cli -p PORT ping',
           'redis-benchmark -p PORT -q -n 10000 -c 20 -P 8 -t set,get,lpush,zadd >/dev/null; echo $?; redis-cli -p PORT set a b; redis-cli -p PORT get a; redis-cli -p PORT bgsave; redis-cli -p PORT debug sleep 0; '
           'redis-cli -p PORT eval "local s=0 for i=1,100000 do s=s+i end return s" 0; while redis-cli -p PORT info persistence | grep -q bgsave_in_progress:1; do sleep 0.1; done; '
           'redis-cli -p PORT info persistence | grep bgsave_status'),
    Server('memcached', 'memcached', 'memcached -l 127.0.0.1 -p PORT -u nobody -t 4', 'exec 3<>/dev/tcp/127.0.0.1/PORT',
           '''/usr/bin/python3 -c "
import socket
s = socket.create_connection(('127.0.0.1', PORT)); f = s.makefile('rwb')
for n in range(20000): f.write(b'set k%d 0 0 100 noreply\\r\\n%s\\r\\n' % (n, b'x' * 100))
f.write(b'get k77\\r\\n'); f.flush(); print(f.readline(), f.readline(), f.readline())"'''),
    Server('postgresql', 'postgresql-15 postgresql-client-15', '/usr/lib/postgresql/15/bin/postgres -D WORK/d -p PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories=',
           PG + '-c "select 1"', 'pgbench -h 127.0.0.1 -p PORT -U postgres -i -s 1 -q postgres 2>/dev/null; pgbench -h 127.0.0.1 -p PORT -U postgres -n -c 4 -j 2 -t 50 postgres 2>/dev/null | grep -E "processed|failed"; ' +
           PG + '-Atc "select count(*), sum(abalance) is not null from pgbench_accounts; set max_parallel_workers_per_gather=2; select md5(string_agg(i::text, $$,$$ order by i)) from generate_series(1,50000) i"',
           user='postgres', setup='/usr/lib/postgresql/15/bin/initdb -D d -A trust >/dev/null', end=signal.SIGINT, timeout=120),
    Server('mariadb', 'mariadb-server mariadb-client', '/usr/sbin/mariadbd --no-defaults --datadir=WORK/d --socket=WORK/s --skip-networking --user=mysql --pid-file=WORK/pid --log-error=WORK/log',
           'mysqladmin ' + MYSQL + 'ping', 'mysqlslap ' + MYSQL + '--concurrency=8 --iterations=2 --auto-generate-sql --number-of-queries=400 >/dev/null; echo $?; '
           'mysql ' + MYSQL + '-Ne "create database d; use d; create table t(a int primary key, b varchar(99)); insert into t select seq, md5(seq) from seq_1_to_20000; select count(*), max(b) from t; select bogus" 2>&1',
           user='mysql', setup='mariadb-install-db --no-defaults --datadir=$PWD/d --auth-root-authentication-method=normal --skip-test-db >/dev/null', timeout=120),
    Server('sshd and ssh', 'openssh-server openssh-client', '/usr/sbin/sshd -D -e -f WORK/c', 'ssh-keyscan -p PORT 127.0.0.1 2>/dev/null | grep -q ssh',
           f'{SSH} "echo over ssh; exit 3"; echo $?; head -c 3000000 /dev/zero | {SSH} md5sum; for i in 1 2 3 4 5; do {SSH} true || echo failed; done',
           files={'c': SSHD}, setup='mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N "" -f host; ssh-keygen -q -t ed25519 -N "" -f key', timeout=120),
    Server('ssh under libprof', 'openssh-server openssh-client', '/usr/sbin/sshd -D -e -f WORK/c', 'ssh-keyscan -p PORT 127.0.0.1 2>/dev/null | grep -q ssh',
           f'source WORK/profiled; {SSH} "echo over ssh; exit 3"; echo $?; head -c 3000000 /dev/zero | {SSH} md5sum', files={'c': SSHD},
           setup='mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N "" -f host; ssh-keygen -q -t ed25519 -N "" -f key'),
    Server('dovecot', 'dovecot-imapd', '/usr/sbin/dovecot -F -c WORK/c', 'exec 3<>/dev/tcp/127.0.0.1/PORT; read -t 5 x <&3',
           'for i in 1 2 3; do curl -sS --user mail:a "imap://127.0.0.1:PORT/" ; curl -sS --user mail:a -T m "imap://127.0.0.1:PORT/INBOX"; done; curl -sS --user mail:a "imap://127.0.0.1:PORT/INBOX;MAILINDEX=2" | md5sum; curl -sS --user mail:b "imap://127.0.0.1:PORT/"; echo $?',
           files={'c': DOVECOT, 'm': 'Subject: a\r\n\r\ntext\r\n'}, setup='mkdir -p mail && chown mail:mail mail && chmod 711 .'),
    Server('dnsmasq', 'dnsmasq-base bind9-dnsutils', '/usr/sbin/dnsmasq -k -C /dev/null -p PORT --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --address=/a.test/10.1.2.3 --user=root --pid-file=',
           'dig +short +time=1 +tries=1 @127.0.0.1 -p PORT a.test | grep -q 10.1', 'for i in $(seq 20); do dig +short @127.0.0.1 -p PORT a.test; done; dig +short @127.0.0.1 -p PORT -t mx b.test'),
    Server('mosquitto', 'mosquitto mosquitto-clients', '/usr/sbin/mosquitto -c WORK/c', 'mosquitto_pub -p PORT -t x -m x', 'mosquitto_sub -p PORT -t a -C 200 >o & sleep 0.7; for i in $(seq 4); do seq 50 | mosquitto_pub -p PORT -q 1 -t a -l; done; wait; wc -l <o',
           files={'c': 'listener PORT 127.0.0.1\nallow_anonymous true\n'}),
    Server('openssl s_server', 'openssl', 'openssl s_server -quiet -accept 127.0.0.1:PORT -cert WORK/cert -key WORK/key -WWW', 'curl -sk https://127.0.0.1:PORT/text', 'for i in 1 2 3 4 5; do curl -sSk https://127.0.0.1:PORT/text | md5sum; done',
           files={'text': TEXT}, setup='openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout key -out cert 2>/dev/null'),
    Server('stunnel', 'stunnel4', 'stunnel4 WORK/c', 'curl -sk --max-time 2 https://127.0.0.1:PORT/; [ $? != 7 ]', 'for i in 1 2 3; do (echo ping; sleep 0.3) | openssl s_client -quiet -connect 127.0.0.1:PORT 2>/dev/null; done',
           files={'c': 'foreground = yes\npid =\noutput = WORK/log\n[a]\naccept = 127.0.0.1:PORT\ncert = WORK/cert\nkey = WORK/key\nexec = WORK/pong\nexecArgs = pong\n', 'pong': '#!/bin/sh\nread x; echo pong $x; sleep 0.3\n'},
           setup='openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout key -out cert 2>/dev/null; chmod 600 key; chmod 755 pong'),
    Server('rsyncd', 'rsync', 'rsync --daemon --no-detach --config=WORK/c --port=PORT --address=127.0.0.1', 'rsync rsync://127.0.0.1:PORT/', 'rsync -a rsync://127.0.0.1:PORT/m/ o/ && cksum o/text',
           files={'c': 'pid file = WORK/pid\nlog file = WORK/log\nuse chroot = no\n[m]\npath = WORK\nexclude = o\nuid = root\ngid = root\n', 'text': TEXT}),
    Server('git daemon', 'git', 'git daemon --reuseaddr --listen=127.0.0.1 --port=PORT --base-path=WORK --export-all WORK', 'git ls-remote git://127.0.0.1:PORT/r',
           'for i in 1 2 3; do rm -rf c; git clone -q git://127.0.0.1:PORT/r c && git -C c log --oneline; done',
           setup='git init -q r; cd r; git config user.name t; git config user.email t@e; seq 9999 >f; git add f; GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z git commit -qm c'),
]
