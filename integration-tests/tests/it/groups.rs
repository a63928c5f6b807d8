//! Groups of members: four and no more, and what portals learn of them. R016.

use std::sync::Arc;

use habilis_integration_tests::protocol::{AuthorizationRequest, tokens_for};
use habilis_integration_tests::{Answer, Api, TestServer};
use serde_json::json;
use tokio::sync::Barrier;

use crate::api::{new_member, new_organization, operator};

async fn join(api: &Api, groups: &str, person: &str) -> Answer {
    api.send(api.request("PUT", &format!("{groups}/members/{person}"))).await
}

journeys! {
    async fn a_fifth_is_refused_also_when_many_come_at_once(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Communauté").await;
        let of = format!("/organizations/{organization}");
        let mut people = Vec::new();
        for index in 0..12 {
            let made = boss.post(&format!("{of}/members"), &new_member(&format!("groupe-{index}"))).await.done(201);
            people.push(made["id"].as_str().unwrap().to_owned());
        }
        let made = boss.post(&format!("{of}/groups"), &json!({ "name": "Pairs 1", "size_limit": 4, "starts_from": 3 })).await.done(201);
        boss.post(&format!("{of}/groups"), &json!({ "name": "Pairs 1", "size_limit": 4 })).await.problem(422, "invalid_fields");
        boss.post(&format!("{of}/groups"), &json!({ "name": "Pairs 2", "size_limit": 4, "starts_from": 5 })).await.problem(422, "invalid_fields");
        let group = format!("{of}/groups/{}", made["id"].as_str().unwrap());
        for (index, started) in [(0, false), (1, false), (2, true)] {
            let shown = join(&boss, &group, &people[index]).await.done(200);
            assert_eq!((&shown["size"], &shown["may_start"]), (&json!(index + 1), &json!(started)));
        }
        // Again is nothing new.
        assert_eq!(join(&boss, &group, &people[0]).await.done(200)["size"], 3);
        let barrier = Arc::new(Barrier::new(9));
        let tasks: Vec<_> = people[3..]
            .iter()
            .map(|person| {
                let (boss, barrier, group, person) = (boss.clone(), Arc::clone(&barrier), group.clone(), person.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    join(&boss, &group, &person).await.status
                })
            })
            .collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        assert_eq!((statuses.iter().filter(|it| **it == 200).count(), statuses.iter().filter(|it| **it == 409).count()), (1, 8));
        let full = join(&boss, &group, &people[3..].iter().zip(&statuses).find(|(_, status)| **status == 409).unwrap().0.clone()).await;
        assert_eq!(full.problem(409, "group_full")["limit"], 4);
        let etag = boss.get(&group).await.header("etag").to_owned();
        boss.patch(&group, &etag, &json!({ "size_limit": 3 })).await.problem(409, "group_full");
        // Who leaves the organization leaves its groups.
        assert_eq!(boss.delete(&format!("{of}/members/{}", people[0])).await.status, 204);
        assert_eq!(boss.get(&group).await.done(200)["size"], 3);
        assert_eq!(boss.delete(&format!("{group}/members/{}", people[1])).await.status, 204);
        boss.delete(&format!("{group}/members/{}", people[1])).await.problem(404, "not_found");
        let listed = boss.get(&format!("{group}/members")).await.done(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        assert_eq!(boss.delete(&group).await.status, 204);
        boss.get(&group).await.problem(404, "not_found");
    }

    async fn portals_learn_the_groups_within_the_scope_organization(server: &TestServer) {
        let boss = operator(server).await;
        let person = server.learner_number(3).clone();
        let organization = person.organization.clone().unwrap().id;
        let of = format!("/organizations/{organization}");
        let found = boss.get(&format!("{of}/members?q={}", person.login)).await.done(200);
        let id = found["items"][0]["id"].as_str().unwrap().to_owned();
        let name = format!("Pairs {id}");
        let made = boss.post(&format!("{of}/groups"), &json!({ "name": name, "size_limit": 4 })).await.done(201);
        let group = format!("{of}/groups/{}", made["id"].as_str().unwrap());
        join(&boss, &group, &id).await.done(200);
        let client = server.client("demo-portal");
        let request = AuthorizationRequest::of(client);
        let with = request.clone().with("scope", "openid organization");
        let tokens = tokens_for(server, &with, &person).await;
        assert_eq!(tokens.id_claims()["groups"], json!([name]));
        let tokens = tokens_for(server, &request.with("scope", "openid"), &person).await;
        assert!(tokens.id_claims()["groups"].is_null());
        assert_eq!(boss.delete(&group).await.status, 204);
    }
}
