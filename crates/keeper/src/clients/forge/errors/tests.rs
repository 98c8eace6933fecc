use std::time::Duration;

use bytes::Bytes;

use super::*;

fn failure(status: u16, body: &str) -> Failure {
    let answer = HttpAnswer {
        status,
        content_type: None,
        location: None,
        challenge: None,
        body: Bytes::from(body.to_owned()),
        cut: None,
        took: Duration::ZERO,
        ready: Duration::ZERO,
    };
    refused(&answer, false)
}

#[test]
fn the_servers_words_become_verdict_and_code() {
    use ErrorCode as C;
    use GenerationVerdict as V;
    let message = |text: &str| {
        format!(
            "{{\"error\":\"RuntimeError\",\"detail\":\"\",\"body\":\"\",\"message\":\"{text}\"}}"
        )
    };
    let cases: [(u16, String, V, C, &str); 15] = [
        (500, "{\"error\":\"OutOfMemoryError\",\"message\":\"CUDA out of memory. Tried to allocate 2.00 GiB\"}".to_owned(), V::OutOfMemory, C::OutOfMemory, "memory"),
        (500, message("CUDA error: out of memory"), V::OutOfMemory, C::OutOfMemory, "memory"),
        (500, message("CUDA error: an illegal memory access was encountered"), V::CudaContextLost, C::CudaContextLost, "context"),
        (500, message("CUDA error: unspecified launch failure"), V::CudaContextLost, C::CudaContextLost, "context"),
        (500, message("CUDA error: device-side assert triggered"), V::CudaContextLost, C::CudaContextLost, "context"),
        (500, "{\"error\":\"NansException\",\"errors\":\"A tensor with all NaNs was produced in VAE.\"}".to_owned(), V::Failed, C::Api, "NaN"),
        (500, message("You do not have any model! Please download at least one model"), V::Failed, C::Api, "no model"),
        (500, message("Failed to recognize model type!"), V::Failed, C::Api, "cannot read its model"),
        (500, message("You do not have CLIP state dict!"), V::Failed, C::Api, "text encoders"),
        (500, "Internal Server Error".to_owned(), V::Failed, C::Api, "does not say why"),
        (500, message("'nosuch_key'"), V::Failed, C::Api, "HTTP 500"),
        (401, "{\"detail\":\"Not authenticated\"}".to_owned(), V::Failed, C::Unauthorized, "credentials"),
        (404, "{\"detail\":\"Not Found\"}".to_owned(), V::Failed, C::Api, "no route"),
        (422, "{\"detail\":[{\"loc\":[\"body\",\"steps\"],\"msg\":\"Input should be a valid integer\"}]}".to_owned(), V::Failed, C::BadRequest, "steps: Input should be a valid integer"),
        (413, String::new(), V::Failed, C::Api, "HTTP 413"),
    ];
    for (status, body, verdict, code, words) in cases {
        let (found, info) = failure(status, &body);
        assert_eq!((found, info.code), (verdict, code), "{body}");
        assert!(info.message.contains(words), "{body}: {}", info.message);
        assert!(
            info.detail.is_some(),
            "{body}: the server's own words are kept"
        );
    }
}
