//! A task as it would be written with the AWS SDK for Rust and its default credential chain.
use aws_config::BehaviorVersion;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;

async fn put(bucket: &str, key: &str) -> Result<(), String> {
    let settings = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let options = aws_sdk_s3::config::Builder::from(&settings).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(options)
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(ByteStream::from_static(b"content"))
        .send()
        .await
        .map(|_| ())
        .map_err(|e| DisplayErrorContext(&e).to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = if arguments[1] == "put-twice" { 2 } else { 1 };
    for round in 0..rounds {
        if round > 0 {
            println!("FIRST");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).expect("a line");
        }
        if let Err(message) = put(&arguments[2], &arguments[3]).await {
            println!("ERR {message}");
            std::process::exit(1);
        }
    }
    println!("OK");
}
