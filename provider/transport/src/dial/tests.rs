//! Small proxies of our own on loopback, each good for one connection.

use tokio::net::TcpListener;

use super::*;

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

fn through(url: &str) -> Dialer {
    Dialer::through(Proxy::parse(url).expect("a proxy"))
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test]
async fn connect_passes_the_login_and_leaves_the_first_bytes_of_the_target() {
    let (listener, port) = listener().await;
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let head = read_head(&mut stream).await;
        let answer = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello";
        stream.write_all(answer).await.expect("an answer");
        head
    });
    let dialer = through(&format!("http://ann:pw@127.0.0.1:{port}"));
    let mut stream = dialer
        .dial("10.20.0.21", 50000, &CancellationToken::new())
        .await
        .expect("a connection");
    let mut hello = String::new();
    stream
        .read_to_string(&mut hello)
        .await
        .expect("the target's bytes");
    assert_eq!(hello, "hello");
    assert_eq!(
        proxy.await.expect("no panic"),
        "CONNECT 10.20.0.21:50000 HTTP/1.1\r\nHost: 10.20.0.21:50000\r\n\
         Proxy-Authorization: Basic YW5uOnB3\r\n\r\n"
    );
}

#[tokio::test]
async fn a_refusal_of_the_proxy_is_told_with_its_words_and_no_password() {
    for (answer, words) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "asks for a name and password",
        ),
        (
            "HTTP/1.1 502 no route\r\n\r\n",
            "it answered \"HTTP/1.1 502 no route\"",
        ),
        ("", "the connection was closed"),
    ] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            read_head(&mut stream).await;
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("an answer");
        });
        let error = through(&format!("http://ann:hunter2hunter2@127.0.0.1:{port}"))
            .dial("node", 6443, &CancellationToken::new())
            .await
            .expect_err("a refusal")
            .to_string();
        assert!(error.contains(words), "{error}");
        assert!(
            error.contains("node:6443") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn socks5_hands_the_name_to_the_proxy() {
    let (listener, port) = listener().await;
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await.expect("a greeting");
        let mut methods = vec![0; usize::from(greeting[1])];
        stream.read_exact(&mut methods).await.expect("methods");
        stream.write_all(&[5, 0]).await.expect("no login");
        let mut request = [0; 5];
        stream.read_exact(&mut request).await.expect("a request");
        let mut rest = vec![0; usize::from(request[4]) + 2];
        stream.read_exact(&mut rest).await.expect("a name");
        let answer = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
        stream.write_all(&answer).await.expect("an answer");
        stream.write_all(b"hi").await.expect("the target");
        (request, rest)
    });
    let mut stream = through(&format!("socks5://127.0.0.1:{port}"))
        .dial("node-1", 258, &CancellationToken::new())
        .await
        .expect("a connection");
    let mut hello = [0; 2];
    stream
        .read_exact(&mut hello)
        .await
        .expect("the target's bytes");
    assert_eq!(&hello, b"hi");
    let (request, rest) = proxy.await.expect("no panic");
    assert_eq!(request, [5, 1, 0, 3, 6]);
    assert_eq!(rest, b"node-1\x01\x02");
}

#[tokio::test]
async fn a_silent_proxy_ends_at_the_deadline_and_at_an_interrupt() {
    let (_listener, port) = listener().await;
    let dialer = through(&format!("http://127.0.0.1:{port}"));
    let quick = dialer.clone().connect_within(Duration::from_millis(50));
    let error = quick.dial("n", 1, &CancellationToken::new()).await;
    assert!(matches!(error, Err(DialError::Timeout { .. })), "{error:?}");
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = dialer.dial("n", 1, &cancel).await;
    assert!(matches!(error, Err(DialError::Cancelled)), "{error:?}");
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let (listener, port) = listener().await;
    drop(listener);
    let error = Dialer::direct()
        .dial("127.0.0.1", port, &CancellationToken::new())
        .await
        .expect_err("closed");
    assert_eq!(
        error.to_string(),
        format!("cannot connect to 127.0.0.1:{port}")
    );
}
