//! Forms whose signature covers every byte, the file and what frames it included.

use app::portal::signing::{NewSigningKey, Signing as _};

use super::*;
use crate::services::access::signatures::testing::{ED25519, ISSUER, Signer, claims};
use crate::testing::source;

const KIND: &str = "id_front";

on_both!(a_signed_form_is_kept_whole_or_not_at_all);

async fn a_signed_form_is_kept_whole_or_not_at_all(db: Db) {
    let api = UploadApi::new(db).await;
    let world = &api.desk.world;
    let signer = Signer::new(ED25519);
    let key = NewSigningKey {
        issuer: ISSUER.into(),
        material: signer.public_pem().into(),
    };
    world
        .services
        .add_signing_key(&world.owner, key, &source())
        .await
        .unwrap();
    let step = api.desk.at_first().await;
    let path = path(&step).replacen("/v1", "/v1s", 1);
    let form = api.form(&step, KIND).file(&png(3 * MIB, 1)).end();
    let other = api.form(&step, KIND).file(&png(3 * MIB, 2)).end();
    let before = api.desk.rows().await;
    let sign = |body: &[u8], n: u8| {
        let mut claims = claims(api.desk.world.state.clock.now().timestamp(), body);
        claims["jti"] = json!(n);
        format!(
            "Authorization: Bearer {}\r\n",
            signer.jws(&signer.header(), &claims)
        )
    };
    let altered = api.send(&path, &sign(&form, 1), &other).await;
    assert_eq!(
        altered.code(),
        (401, "invalid_signature"),
        "{}",
        altered.body
    );
    // What follows the form is signed as well.
    let longer = [&form[..], b"behind the form"].concat();
    assert_eq!(
        api.send(&path, &sign(&form, 2), &longer).await.code(),
        (401, "invalid_signature")
    );
    assert_eq!(
        api.send(&path, "", &form).await.code(),
        (401, "invalid_signature")
    );
    api.desk.left(before).await;

    let kept = api.send(&path, &sign(&form, 3), &form).await;
    assert_eq!(kept.status, 200, "{}", kept.body);
    let again = api.send(&path, &sign(&longer, 4), &longer).await;
    assert_eq!(
        (again.status, &again.body["upload_id"]),
        (200, &kept.body["upload_id"])
    );
    api.close().await;
}
