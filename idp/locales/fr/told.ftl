# Pages qui annoncent quelque chose.
told-ask-again = Demander un nouveau lien
told-link-sent-title = Consultez votre messagerie
told-link-sent-text = Si un compte correspond à ce que vous avez indiqué, un lien vient d’être envoyé à son adresse électronique. Il fonctionne une seule fois, pendant 60 minutes.
told-link-over-title = Ce lien ne fonctionne plus
told-link-over-text = Il a déjà servi, ou son délai de 60 minutes est passé.
told-password-changed-title = Mot de passe enregistré
told-password-changed-text = Vos autres appareils ont été déconnectés. Vous pouvez vous connecter avec votre nouveau mot de passe.
told-password-expired-title = Votre mot de passe a expiré
told-password-expired-text = Un mot de passe se renouvelle chaque année. Un lien pour en choisir un nouveau vient d’être envoyé à votre adresse électronique. Il fonctionne une seule fois, pendant 60 minutes.
told-compromise-reported-title = Votre compte est protégé
told-compromise-reported-text = Tous vos appareils et toutes les applications sont déconnectés, et l’ancien mot de passe n’ouvre plus rien. Un lien pour en choisir un nouveau vient d’être envoyé à votre adresse électronique.
told-password-changed-here-text = Vos autres appareils ont été déconnectés. Celui-ci reste connecté.
told-report-over-title = Ce lien ne fonctionne plus
told-report-over-text = Il a déjà servi, ou il est trop ancien. En cas de doute, signalez la compromission depuis votre compte.
